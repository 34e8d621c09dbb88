#include "test.h"

#include <errno.h>

#include "base/macro.h"
#include "otlp/wire.h"

static void check(const Buffer *out, const char *expected, size_t n)
{
        assert_int_equal(buffer_length(out), n);
        assert_memory_equal(buffer_data(out), expected, n);
}

static void test_fields(void **state)
{
        _cleanup_(buffer_done) Buffer out;
        WireWriter w = {.out = &out};
        WireField field;
        WireSlice rest;
        size_t start;

        buffer_init(&out, 1000);
        wire_put_varint(&w, 1, 300);
        wire_put_fixed32(&w, 2, 0x01020304);
        wire_put_fixed64(&w, 16, 1);
        start = wire_open(&w, 3);
        wire_put_bytes(&w, 4, "hi", 2);
        wire_close(&w, start);
        assert_int_equal(w.error, 0);
        check(&out, "\x08\xac\x02" "\x15\x04\x03\x02\x01" "\x81\x01\x01\0\0\0\0\0\0\0"
                    "\x1a\x84\x80\x80\0\x22\x02hi", 27);

        rest = (WireSlice){buffer_data(&out), buffer_length(&out)};
        assert_true(wire_next(&rest, &field));
        assert_true(field.number == 1 && field.type == WIRE_VARINT && field.whole.n == 3);
        assert_true(wire_next(&rest, &field));
        assert_true(field.number == 2 && field.value.n == 4 && field.value.data[0] == 4);
        assert_true(wire_next(&rest, &field));
        assert_true(field.number == 16 && field.value.n == 8 && field.whole.n == 10);
        assert_true(wire_next(&rest, &field));
        assert_true(field.number == 3 && field.value.n == 4 && field.whole.n == 9);
        assert_false(wire_next(&rest, &field));
        assert_int_equal(rest.n, 0);
}

static void test_malformed(void **state)
{
        static const struct {
                const char *bytes;
                size_t n;
        } cases[] = {
#define CASE(bytes) {bytes, sizeof(bytes) - 1}
                CASE("\x08"),                                             /* no value */
                CASE("\x08\x80"),                                         /* half a varint */
                CASE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),     /* 65 bits */
                CASE("\x00\x01"),                                         /* field 0 */
                CASE("\x80\x80\x80\x80\x10\x01"),                         /* 33 bits of tag */
                CASE("\x0b\x0c"),                                         /* a group */
                CASE("\x0d\x01\x02\x03"),
                CASE("\x09\x01\x02\x03\x04\x05\x06\x07"),
                CASE("\x0a\x02x"),
                CASE("\x0a\xff\xff\xff\xff\x0f"),
#undef CASE
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                WireSlice rest = {(const uint8_t *)cases[i].bytes, cases[i].n};
                WireField field;

                if (wire_next(&rest, &field) || rest.n == 0)
                        fail_msg("case %zu was read", i);
        }
}

static void test_error_sticks(void **state)
{
        _cleanup_(buffer_done) Buffer out;
        WireWriter w = {.out = &out};
        size_t start;

        buffer_init(&out, 10);
        start = wire_open(&w, 1);
        wire_put_bytes(&w, 2, "too much", 8);
        assert_int_equal(w.error, -ENOBUFS);
        wire_put_varint(&w, 3, 1);
        wire_close(&w, start);
        assert_int_equal(w.error, -ENOBUFS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_fields),
                UNIT_TEST(test_malformed),
                UNIT_TEST(test_error_sticks),
        };

        return RUN_TESTS(tests);
}
