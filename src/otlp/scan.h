#pragma once

/* A look at an ExportTraceServiceRequest before protobuf-c may have it. protobuf-c unpacks
 * recursively without a limit (30 kB of nested arrays overflow its stack), checks neither ids nor
 * UTF-8, and allocates for as much as it is told. Here nothing recurses and nothing allocates, and
 * what passes can be unpacked.
 *
 * A fault inside a span is that span's, since its length is known: the spans around it can still
 * be taken. A fault outside of spans ends the scan, and the whole request is to be refused. */

#include <stddef.h>
#include <stdint.h>

#include "otlp/schema.h"

enum {
        SCAN_DEPTH_MAX = 64, /* messages in messages, the request itself being the first */
        SCAN_TEXT_MAX = 128,
};

/* What scan_next() and scan_request() return beside 0. */
enum {
        SCAN_SPAN = 1,
        SCAN_E_WIRE,  /* not protobuf: cut off, a group, a varint too long, a field number of 0 */
        SCAN_E_TYPE,  /* a known field with the wire type of another */
        SCAN_E_DEPTH, /* nested beyond SCAN_DEPTH_MAX */
        SCAN_E_COUNT, /* more than the schema's limits, or a second value where there is one */
        SCAN_E_ID,    /* a trace or span id that is missing, all zero, or of the wrong length */
        SCAN_E_UTF8,  /* a string that is none */
};

/* A span and where it was found: the encoded messages, without the tags and lengths before them. */
typedef struct ScanSpan {
        WireSlice resource_spans;
        WireSlice scope_spans;
        WireSlice span;
        int fault; /* 0, or SCAN_E_* for which this span cannot be taken */
} ScanSpan;

typedef struct ScanFrame {
        SchemaType type;
        size_t start, end;                  /* in the input */
        uint32_t counts[SCHEMA_FIELDS_MAX]; /* of each field in the schema, so far */
} ScanFrame;

typedef struct Scan {
        const uint8_t *data;
        size_t at;
        size_t depth; /* frames in use */
        size_t spans; /* so far, with those at fault */
        size_t parts;
        /* Where the last fault is: the field's offset, and a name such as "Span.trace_id". */
        size_t offset;
        const char *where;
        ScanFrame stack[SCAN_DEPTH_MAX];
} Scan;

/* Borrows @data for as long as the scan is used. */
void scan_init(Scan *scan, const uint8_t *data, size_t n);

/* Goes on to the next span. Returns SCAN_SPAN with *ret, 0 at the end, or SCAN_E_* for a fault that
 * is no span's (do not call again then, and forget the spans before). */
int scan_next(Scan *scan, ScanSpan *ret);

/* Scans a whole request, to the first fault. Returns 0 or SCAN_E_*; @scan then holds the number of
 * spans, and where the fault is. */
int scan_request(Scan *scan, const uint8_t *data, size_t n);

/* Says where and what the fault SCAN_E_* is, in ASCII, for the message of an error answer. Good for
 * a span's fault as long as scan_next() was not called again. */
void scan_describe(const Scan *scan, int fault, char ret[static SCAN_TEXT_MAX]);
