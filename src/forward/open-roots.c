/* Open root spans. A guest is never taken for lost because it is silent, only when its connection
 * has gone; and if that was wrong, as after a long pause of the VM, its own root span comes behind
 * ours and is stored like any other span. Nothing is kept on disk: a forwarder that starts again
 * is told anew. */

#include "forward/open-roots.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macro.h"
#include "otlp/span.h"

#define REASON "vm-lost"
#define MESSAGE "the VM was lost before its root span came"

/* In a collated trace several guests share the trace. */
typedef struct RootKey {
        TraceId trace;
        SpanId span;
} RootKey;

struct OpenRoot {
        RootKey key; /* first: it is what the tree compares */
        OpenRoots *roots;
        OpenRoot **holder; /* NULL: none */
        nsec_t told;       /* CLOCK_BOOTTIME, as @lost */
        nsec_t lost;
        sd_event_source *grace; /* on while there is no holder */
        Parcel *parcel;         /* it is being ended */
        uint8_t *request;
        size_t size;
};

struct OpenRoots {
        Sink sink;
        sd_event *event;
        Delivery *delivery;
        size_t max;
        nsec_t grace;
        void *tree; /* of tsearch(3) */
        size_t n;
};

static int compare_keys(const void *a, const void *b)
{
        return memcmp(a, b, sizeof(RootKey));
}

static RootKey span_key(const Otlp__Span *span)
{
        RootKey key;

        memcpy(key.trace.bytes, span->trace_id.data, TRACE_ID_SIZE);
        memcpy(key.span.bytes, span->span_id.data, SPAN_ID_SIZE);
        return key;
}

static OpenRoot *find_root(const OpenRoots *roots, const RootKey *key)
{
        OpenRoot **node = tfind(key, &roots->tree, compare_keys);

        return node ? *node : NULL;
}

/* Frees what @root has, and leaves the tree alone. */
static void free_root(void *memory)
{
        OpenRoot *root = memory;

        if (root->holder)
                *root->holder = NULL;
        if (root->parcel)
                parcel_forget(root->parcel);
        (void)sd_event_source_disable_unref(root->grace);
        free(root->request);
        free(root);
}

static void remove_root(OpenRoot *root)
{
        OpenRoots *roots = root->roots;

        (void)tdelete(&root->key, &roots->tree, compare_keys);
        roots->n--;
        free_root(root);
}

static Otlp__KeyValue *make_attribute(Arena *arena, const char *key, const char *value)
{
        struct {
                Otlp__KeyValue pair;
                Otlp__AnyValue value;
        } *attribute = arena_alloc(arena, sizeof(*attribute));

        if (!attribute)
                return NULL;
        otlp__any_value__init(&attribute->value);
        attribute->value.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
        attribute->value.string_value = (char *)value; /* it is only read, as all like it */
        otlp__key_value__init(&attribute->pair);
        attribute->pair.key = (char *)key;
        attribute->pair.value = &attribute->value;
        return &attribute->pair;
}

static int add_attributes(Arena *arena, Otlp__Span *span)
{
        size_t n = span->n_attributes;
        Otlp__KeyValue **list = arena_alloc(arena, (n + 2) * sizeof(*list));

        if (!list)
                return -ENOMEM;
        if (n > 0)
                memcpy(list, span->attributes, n * sizeof(*list));
        list[n] = make_attribute(arena, "rootspan.reason", REASON);
        list[n + 1] = make_attribute(arena, "error.type", REASON);
        if (!list[n] || !list[n + 1])
                return -ENOMEM;
        span->attributes = list;
        span->n_attributes = n + 2;
        return 0;
}

static int set_status(Arena *arena, Otlp__Span *span)
{
        Otlp__Status *status = arena_alloc(arena, sizeof(*status));

        if (!status)
                return -ENOMEM;
        otlp__status__init(status);
        status->code = SPAN_STATUS_ERROR;
        status->message = (char *)MESSAGE;
        span->status = status;
        return 0;
}

static Otlp__Span *only_span(const Batch *batch)
{
        return batch->request->resource_spans[0]->scope_spans[0]->spans[0];
}

/* The span as it is ended here. Its end is the guest's time when it was told, and as much later as
 * the connection was lost later. */
static int make_end(const OpenRoot *root, Batch **ret)
{
        char fault[BATCH_FAULT_MAX];
        Otlp__Span *span;
        Batch *batch;
        int r;

        r = batch_decode(root->request, root->size, &batch, fault);
        if (r != 0) /* not for what it holds, which was decoded before */
                return -ENOMEM;
        span = only_span(batch);
        span->end_time_unix_nano = nsec_add(span->end_time_unix_nano, root->lost - root->told);
        r = set_status(&batch->arena, span);
        if (r == 0)
                r = add_attributes(&batch->arena, span);
        if (r < 0) {
                (void)batch_free(batch);
                return r;
        }
        *ret = batch;
        return 0;
}

/* The arguments are valid, so this does not fail. */
static void start_grace(OpenRoot *root)
{
        (void)sd_event_source_set_time_relative(root->grace, root->roots->grace / NSEC_PER_USEC);
        (void)sd_event_source_set_enabled(root->grace, SD_EVENT_ONESHOT);
}

/* Only called for a failure, which is logged: when the span has been stored, our sink has met it
 * and removed the root. */
static void on_delivered(void *userdata, int result)
{
        OpenRoot *root = userdata;

        root->parcel = NULL;
        if (!root->holder)
                start_grace(root);
}

static void end_root(OpenRoot *root)
{
        Batch *batch = NULL;
        int r = make_end(root, &batch);

        if (r == 0)
                r = delivery_add(root->roots->delivery, batch, on_delivered, root, &root->parcel);
        if (r < 0) {
                (void)batch_free(batch);
                log_error_errno(r, "cannot end a root span, trying again later");
                start_grace(root);
        }
}

static int on_grace_end(sd_event_source *source, uint64_t usec, void *userdata)
{
        end_root(userdata);
        return 0;
}

static int add_root(OpenRoots *roots, const RootKey *key, OpenRoot **ret)
{
        OpenRoot *root;
        int r;

        if (roots->n >= roots->max)
                return OPEN_ROOTS_E_FULL;
        root = calloc(1, sizeof(*root));
        if (!root)
                return -ENOMEM;
        root->key = *key;
        root->roots = roots;
        r = sd_event_add_time(roots->event, &root->grace, CLOCK_BOOTTIME, UINT64_MAX, 0,
                              on_grace_end, root);
        if (r >= 0 && !tsearch(root, &roots->tree, compare_keys))
                r = -ENOMEM;
        if (r < 0) {
                free_root(root);
                return r;
        }
        roots->n++;
        *ret = root;
        return 0;
}

void open_root_release(OpenRoot *root)
{
        root->holder = NULL;
        root->lost = clock_boottime();
        start_grace(root);
}

/* Is it one span that ends, so far, behind its start? */
static bool is_open_root(const Otlp__ExportTraceServiceRequest *request)
{
        const Otlp__ResourceSpans *resource_spans;
        const Otlp__Span *span;

        if (request->n_resource_spans != 1)
                return false;
        resource_spans = request->resource_spans[0];
        if (resource_spans->n_scope_spans != 1 || resource_spans->scope_spans[0]->n_spans != 1)
                return false;
        span = resource_spans->scope_spans[0]->spans[0];
        return span->end_time_unix_nano >= span->start_time_unix_nano;
}

static int find_or_add_root(OpenRoots *roots, const RootKey *key, OpenRoot **ret)
{
        *ret = find_root(roots, key);
        return *ret ? 0 : add_root(roots, key, ret);
}

static void attach(OpenRoot *root, OpenRoot **holder)
{
        if (*holder && *holder != root)
                open_root_release(*holder);
        if (root->holder)
                *root->holder = NULL;
        *holder = root;
        root->holder = holder;
        root->told = clock_boottime();
        (void)sd_event_source_set_enabled(root->grace, SD_EVENT_OFF); /* valid */
}

int open_roots_hold(OpenRoots *roots, const Batch *batch, OpenRoot **holder)
{
        uint8_t *copy;
        OpenRoot *root;
        RootKey key;
        size_t size;
        int r;

        if (!is_open_root(batch->request))
                return OPEN_ROOTS_E_BAD;
        size = otlp__export_trace_service_request__get_packed_size(batch->request);
        if (size > OPEN_ROOT_SIZE_MAX)
                return OPEN_ROOTS_E_TOO_LARGE;
        copy = malloc(size);
        if (!copy)
                return -ENOMEM;
        key = span_key(only_span(batch));
        r = find_or_add_root(roots, &key, &root);
        if (r != 0) {
                free(copy);
                return r;
        }
        attach(root, holder);
        free(root->request);
        root->request = copy;
        root->size = otlp__export_trace_service_request__pack(batch->request, copy);
        return 0;
}

/* Whoever ended it: the guest, or we. */
static int on_write(Sink *sink, const Batch *batch)
{
        OpenRoots *roots = (OpenRoots *)sink;
        const Otlp__ExportTraceServiceRequest *request = batch->request;

        for (size_t i = 0; i < request->n_resource_spans; i++)
                for (size_t k = 0; k < request->resource_spans[i]->n_scope_spans; k++) {
                        const Otlp__ScopeSpans *spans = request->resource_spans[i]->scope_spans[k];

                        for (size_t m = 0; m < spans->n_spans; m++) {
                                RootKey key = span_key(spans->spans[m]);
                                OpenRoot *root = find_root(roots, &key);

                                if (root)
                                        remove_root(root);
                        }
                }
        return 0;
}

static int on_commit(Sink *sink)
{
        return 0;
}

int open_roots_new(sd_event *event, size_t max, nsec_t grace, OpenRoots **ret)
{
        static const SinkOps ops = {on_write, on_commit};
        OpenRoots *roots = malloc(sizeof(*roots));

        if (!roots)
                return -ENOMEM;
        *roots = (OpenRoots){
                .sink = {.ops = &ops, .name = "the open root spans"},
                .event = sd_event_ref(event),
                .max = max,
                .grace = grace,
        };
        *ret = roots;
        return 0;
}

OpenRoots *open_roots_free(OpenRoots *roots)
{
        if (!roots)
                return NULL;
        tdestroy(roots->tree, free_root);
        (void)sd_event_unref(roots->event);
        free(roots);
        return NULL;
}

Sink *open_roots_sink(OpenRoots *roots)
{
        return &roots->sink;
}

void open_roots_set_delivery(OpenRoots *roots, Delivery *delivery)
{
        roots->delivery = delivery;
}

static void end_if_lost(const void *node, VISIT visit, void *closure)
{
        OpenRoot *root = *(OpenRoot *const *)node;

        if ((visit == postorder || visit == leaf) && !root->holder && !root->parcel)
                end_root(root);
}

void open_roots_finish(OpenRoots *roots)
{
        twalk_r(roots->tree, end_if_lost, NULL);
        delivery_run(roots->delivery);
}
