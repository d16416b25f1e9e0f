// The round trip between two AF_XDP sockets over libxdp, both spinning: the yardstick of
// `xsk latency --spin`, which measures in the same way. Packets are sent at a rate, whether the one
// before came back or not; those that are due while a packet is sent are skipped. Each carries its
// number and the time at which it was sent: packets of others (the network stack's, which the echo
// sends back, too) are passed over. Usage: pingpong IFA IFB SECONDS PACKETS_PER_SECOND [CPUA CPUB],
// with both interfaces in the calling process's network namespace. Each end is pinned to a processor,
// by default to the last two that the process may run on, as `xsk latency --spin` does. Prints the
// least time, p50, p99 and the counts, times in nanoseconds.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <xdp/xsk.h>

enum { CHUNKS = 256, CHUNK = 4096, LEN = 60, RING = 256, ETHERNET = 14 };

// What a packet carries behind its Ethernet header.
struct payload {
	char mark[8];
	uint64_t number, sent;
};

static const char MARK[8] = "pingpong";

struct port {
	void *area;
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons comp, rx;
	int fd;
	uint64_t free[CHUNKS];
	unsigned count;
};

static atomic_int ended;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void fail(const char *what, int error)
{
	fprintf(stderr, "pingpong: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

static void fill(struct port *p, uint64_t addr)
{
	uint32_t at;
	if (xsk_ring_prod__reserve(&p->fill, 1, &at) != 1)
		fail("fill ring", 105);
	*xsk_ring_prod__fill_addr(&p->fill, at) = addr;
	xsk_ring_prod__submit(&p->fill, 1);
}

static void open_port(struct port *p, const char *name)
{
	struct xsk_umem_config memory = { .fill_size = RING, .comp_size = RING, .frame_size = CHUNK };
	struct xsk_socket_config rings = { .rx_size = RING, .tx_size = RING,
		.bind_flags = XDP_USE_NEED_WAKEUP };
	p->area = mmap(NULL, CHUNKS * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error = xsk_umem__create(&p->umem, p->area, CHUNKS * CHUNK, &p->fill, &p->comp, &memory);
	if (error)
		fail("umem", error);
	error = xsk_socket__create(&p->xsk, name, 0, p->umem, &p->rx, &p->tx, &rings);
	if (error)
		fail(name, error);
	p->fd = xsk_socket__fd(p->xsk);
	for (unsigned i = 0; i < CHUNKS / 2; i++)
		fill(p, (uint64_t)i * CHUNK);
	for (unsigned i = CHUNKS / 2; i < CHUNKS; i++)
		p->free[p->count++] = (uint64_t)i * CHUNK;
}

static void reap(struct port *p)
{
	uint32_t at, n = xsk_ring_cons__peek(&p->comp, 16, &at);
	for (uint32_t i = 0; i < n; i++)
		p->free[p->count++] = *xsk_ring_cons__comp_addr(&p->comp, at + i);
	if (n)
		xsk_ring_cons__release(&p->comp, n);
}

static void send_one(struct port *p, uint64_t addr)
{
	uint32_t at;
	if (xsk_ring_prod__reserve(&p->tx, 1, &at) != 1)
		fail("tx ring", 105);
	struct xdp_desc *desc = xsk_ring_prod__tx_desc(&p->tx, at);
	desc->addr = addr;
	desc->len = LEN;
	desc->options = 0;
	xsk_ring_prod__submit(&p->tx, 1);
	if (xsk_ring_prod__needs_wakeup(&p->tx))
		sendto(p->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
}

// Sends each packet back from the chunk that it came in.
static void *echo(void *argument)
{
	struct port *p = argument;
	while (!atomic_load_explicit(&ended, memory_order_relaxed)) {
		uint32_t at, n = xsk_ring_cons__peek(&p->rx, 1, &at);
		if (n) {
			uint64_t addr = xsk_ring_cons__rx_desc(&p->rx, at)->addr;
			xsk_ring_cons__release(&p->rx, 1);
			send_one(p, addr);
		}
		reap(p);
		while (p->count > CHUNKS / 2)
			fill(p, p->free[--p->count]);
	}
	return NULL;
}

// Finds the last two processors that the process may run on; returns whether there are two.
static int last_two(int cpus[2])
{
	cpu_set_t all;
	int count = 0;
	if (sched_getaffinity(0, sizeof(all), &all))
		return 0;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && count < 2; cpu--)
		if (CPU_ISSET(cpu, &all))
			cpus[1 - count++] = cpu;
	return count == 2;
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t only;
	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	int error = pthread_setaffinity_np(thread, sizeof(only), &only);
	if (error)
		fail("processor", error);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	if (argc != 5 && argc != 7) {
		fprintf(stderr, "usage: pingpong IFA IFB SECONDS PACKETS_PER_SECOND [CPUA CPUB]\n");
		return 2;
	}
	static struct port a, b;
	open_port(&a, argv[1]);
	open_port(&b, argv[2]);
	pthread_t thread;
	pthread_create(&thread, NULL, echo, &b);
	int cpus[2] = { argc == 7 ? atoi(argv[5]) : 0, argc == 7 ? atoi(argv[6]) : 0 };
	if (argc == 7 || last_two(cpus)) {
		pin(pthread_self(), cpus[0]);
		pin(thread, cpus[1]);
	}
	uint64_t seconds = strtoull(argv[3], NULL, 10), rate = strtoull(argv[4], NULL, 10);
	if (!seconds || !rate || seconds > 3600 || rate > 10000000)
		fail("SECONDS or PACKETS_PER_SECOND", 22);
	uint64_t step = 1000000000ull / rate, most = seconds * (rate + 1), *times = calloc(most, 8);
	if (!times)
		fail("times", 12);
	uint64_t sent = 0, count = 0, expected = 0;
	uint64_t start = now(), due = start, end = start + seconds * 1000000000ull;
	for (;;) {
		uint32_t at;
		if (xsk_ring_cons__peek(&a.rx, 1, &at)) {
			uint64_t addr = xsk_ring_cons__rx_desc(&a.rx, at)->addr;
			struct payload came;
			memcpy(&came, (char *)a.area + addr + ETHERNET, sizeof(came));
			if (!memcmp(came.mark, MARK, sizeof(MARK)) && came.number >= expected) {
				times[count++] = now() - came.sent;
				expected = came.number + 1;
			}
			xsk_ring_cons__release(&a.rx, 1);
			fill(&a, addr & ~(uint64_t)(CHUNK - 1));
		}
		uint64_t t = now();
		if (t >= end) {
			if (count == sent || t > end + 300000000ull)
				break;
		} else if (t >= due) {
			reap(&a);
			if (a.count && sent < most) {
				uint64_t addr = a.free[--a.count];
				char *packet = (char *)a.area + addr;
				struct payload goes = { .number = sent };
				memset(packet, 0xff, ETHERNET);
				memcpy(goes.mark, MARK, sizeof(MARK));
				goes.sent = now();
				memcpy(packet + ETHERNET, &goes, sizeof(goes));
				send_one(&a, addr);
				sent++;
			}
			due += ((t - due) / step + 1) * step;
		}
	}
	atomic_store(&ended, 1);
	pthread_join(thread, NULL);
	qsort(times, count, sizeof(*times), compare);
	if (!count)
		fail("no packet came back", 110);
	printf("{\"sent\":%lu,\"count\":%lu,\"min_ns\":%lu,\"p50_ns\":%lu,\"p99_ns\":%lu}\n",
	       (unsigned long)sent, (unsigned long)count, (unsigned long)times[0],
	       (unsigned long)times[count / 2], (unsigned long)times[count * 99 / 100]);
	xsk_socket__delete(a.xsk);
	xsk_socket__delete(b.xsk);
	return 0;
}
