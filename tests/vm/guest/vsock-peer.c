/* The guest's side of the VSOCK tests: serves commands on VSOCK port 5000, each connection in a
 * process of its own. A command is one line.
 *
 *   echo                 send back what comes, until its end
 *   sink                 read to the end, then answer with the result
 *   source N             send N bytes, then the end, then read to the end
 *   hold                 read nothing and wait for the end of the world
 *   dial PORT COMMAND    connect to the host's PORT, do COMMAND there, answer here with the result
 *   self PORT COMMAND    the same with a PORT of the guest itself
 *
 * A result is the line "error=NUMBER sent=N received=N adler32=N", of errno and of what was
 * received. Byte i of a source is (i % 65521) * 7 / 3 modulo 256. / */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

enum {
        COMMAND_PORT = 5000,
        PERIOD = 65521,
};

typedef struct Result {
        int error;
        uint64_t sent;
        uint64_t received;
        uint32_t a, b; /* of Adler-32 */
} Result;

static uint8_t bytes[PERIOD + 65536];

static void add(Result *result, const uint8_t *data, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                result->a = (result->a + data[i]) % 65521;
                result->b = (result->b + result->a) % 65521;
        }
        result->received += n;
}

/* Writes all of it. Returns 0 or the errno value, which it also notes. */
static int send_all(int fd, const void *data, size_t n, Result *result)
{
        while (n > 0) {
                ssize_t done = send(fd, data, n, MSG_NOSIGNAL);

                if (done < 0)
                        return result->error = errno;
                data = (const uint8_t *)data + done;
                n -= (size_t)done;
                result->sent += (size_t)done;
        }
        return 0;
}

static void receive_all(int fd, int and_return, Result *result)
{
        static uint8_t got[65536];
        ssize_t n;

        while ((n = read(fd, got, sizeof(got))) > 0) {
                add(result, got, (size_t)n);
                if (and_return && send_all(fd, got, (size_t)n, result) != 0)
                        return;
        }
        if (n < 0)
                result->error = errno;
}

static void source(int fd, uint64_t n, Result *result)
{
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)(i % PERIOD * 7 / 3);
        while (result->sent < n) {
                uint64_t left = n - result->sent;

                if (send_all(fd, bytes + result->sent % PERIOD, left < 65536 ? left : 65536,
                             result) != 0)
                        return;
        }
        if (shutdown(fd, SHUT_WR) < 0)
                result->error = errno;
        else
                receive_all(fd, 0, result);
}

static void run(int fd, const char *command, Result *result)
{
        if (strcmp(command, "echo") == 0)
                receive_all(fd, 1, result);
        else if (strcmp(command, "sink") == 0)
                receive_all(fd, 0, result);
        else if (strncmp(command, "source ", 7) == 0)
                source(fd, strtoull(command + 7, NULL, 10), result);
        else if (strcmp(command, "hold") == 0)
                pause();
        else
                result->error = EINVAL;
}

static void dial(unsigned cid, const char *words, Result *result)
{
        char *command;
        struct sockaddr_vm address = {
                .svm_family = AF_VSOCK,
                .svm_cid = cid,
                .svm_port = (unsigned)strtoul(words, &command, 10),
        };
        int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                result->error = errno;
                return;
        }
        run(fd, command + (*command == ' '), result);
        close(fd);
}

static void serve(int fd)
{
        Result result = {.a = 1};
        char line[256], answer[256];
        size_t n = 0;
        int length;

        while (n < sizeof(line) - 1 && read(fd, line + n, 1) == 1 && line[n] != '\n')
                n++;
        line[n] = '\0';
        if (strncmp(line, "dial ", 5) == 0) {
                dial(VMADDR_CID_HOST, line + 5, &result);
        } else if (strncmp(line, "self ", 5) == 0) {
                dial(VMADDR_CID_LOCAL, line + 5, &result);
        } else {
                run(fd, line, &result);
                if (strcmp(line, "sink") != 0)
                        return;
        }
        length = snprintf(answer, sizeof(answer),
                          "error=%d sent=%" PRIu64 " received=%" PRIu64 " adler32=%" PRIu32 "\n",
                          result.error, result.sent, result.received, result.b << 16 | result.a);
        (void)send_all(fd, answer, (size_t)length, &result);
}

int main(void)
{
        struct sockaddr_vm address = {
                .svm_family = AF_VSOCK,
                .svm_cid = VMADDR_CID_ANY,
                .svm_port = COMMAND_PORT,
        };
        int listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

        signal(SIGCHLD, SIG_IGN); /* children are reaped by the kernel */
        if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(listener, 1024) < 0) {
                perror("vsock-peer");
                return 1;
        }
        puts("vsock-peer: ready");
        fflush(stdout);
        for (;;) {
                int fd = accept(listener, NULL, NULL);

                if (fd < 0) {
                        perror("vsock-peer: accept");
                        return 1;
                }
                switch (fork()) {
                case 0:
                        close(listener);
                        serve(fd);
                        _exit(0);
                case -1:
                        perror("vsock-peer: fork");
                        return 1;
                }
                close(fd);
        }
}
