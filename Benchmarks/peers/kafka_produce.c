/* Sends records with librdkafka's own loop, as fast as it goes: kafka_produce BROKERS TOPIC COUNT BYTES. Prints seconds.
   Settings are those of the program that it is measured beside, but for the queue: 20,000 records under way at most, which is what
   that program has; with the 100,000 that its queue could take, this loop is half as fast.
   kafka_produce mock TOPIC[/PARTITIONS]…: is a broker of these topics instead, of four partitions unless it says otherwise;
   prints its address, and ends with its input. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static long delivered = 0, failed = 0;
static long total = 0;

static void report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk, (void)opaque;
    if (message->err) failed++;
    else delivered++;
}

static void *serve(void *rk) {
    while (delivered + failed < total) rd_kafka_poll(rk, 100);
    return NULL;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void silence(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    (void)rk, (void)level, (void)facility, (void)text;
}

static int mock(int count, char **topics) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, silence);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0), 1);
    if (!cluster) return 1;
    for (int i = 0; i < count; i++) {
        char *slash = strchr(topics[i], '/');
        if (slash) *slash = 0;
        if (rd_kafka_mock_topic_create(cluster, topics[i], slash ? atoi(slash + 1) : 4, 1)) return 1;
    }
    /* Brokers send small answers at once; the mock leaves them to Nagle's algorithm, 40 ms each. Sockets that are accepted do as the
       one that listens. */
    for (int file = 3; file < 64; file++) {
        int listens = 0, on = 1;
        socklen_t size = sizeof listens;
        if (!getsockopt(file, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) && listens)
            setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    while (getchar() != EOF) {}
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 3 && !strcmp(argv[1], "mock")) return mock(argc - 2, argv + 2);
    if (argc != 5) return 64;
    long count = atol(argv[3]), bytes = atol(argv[4]);
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *settings[][2] = {
        {"bootstrap.servers", argv[1]}, {"enable.idempotence", "true"}, {"partitioner", "murmur2_random"}, {"linger.ms", "1"},
        {"queue.buffering.max.messages", "20000"}, {"queue.buffering.max.kbytes", "65536"}, {"compression.type", "lz4"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason)) return fprintf(stderr, "%s\n", reason), 78;
    rd_kafka_conf_set_dr_msg_cb(conf, report);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (!rk) return fprintf(stderr, "%s\n", reason), 1;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, argv[2], NULL);
    char *value = malloc(bytes), keys[50][16];
    for (long i = 0; i < bytes; i++) value[i] = "{\"price\":12345.678,\"quantity\":0.25}"[i % 35];
    for (int i = 0; i < 50; i++) snprintf(keys[i], sizeof *keys, "pair-%d", i);
    total = count;
    pthread_t server;
    double start = now();
    if (pthread_create(&server, NULL, serve, rk)) return 1;
    for (long i = 0; i < count; i++) {
        char *key = keys[i % 50];
        rd_kafka_vu_t parts[] = {
            {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
            {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
            {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key, strlen(key)}},
            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, bytes}},
            {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = 1700000000000 + i}};
        rd_kafka_error_t *error;
        while ((error = rd_kafka_produceva(rk, parts, sizeof parts / sizeof *parts))) {
            if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL) return fprintf(stderr, "%s\n", rd_kafka_error_string(error)), 1;
            rd_kafka_error_destroy(error);
            struct timespec moment = {0, 1000000};
            nanosleep(&moment, NULL);
        }
    }
    pthread_join(server, NULL);
    double seconds = now() - start;
    if (delivered != count || failed) return fprintf(stderr, "%ld of %ld delivered, %ld failed\n", delivered, count, failed), 1;
    printf("%.6f\n", seconds);
    return 0;
}
