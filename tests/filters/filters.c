// The filters of benches/filters.rs in C, each a program of its own: what they are compared with.
// Built by clang -O2 -target bpf. The packets of each go to the socket of their queue.
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define EXTENSIONS 6

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u32);
} xsks_map SEC(".maps");

struct tag {
    __be16 id;
    __be16 type;
};

struct ports {
    __be16 source;
    __be16 destination;
};

struct extension {
    __u8 next;
    __u8 len;
    __be16 offset;
};

static __always_inline int to_socket(struct xdp_md *ctx)
{
    return bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

// Returns the transport header of an IPv4 packet of this protocol that is no later fragment.
static __always_inline void *transport4(void *network, void *end, __u8 protocol, size_t size)
{
    struct iphdr *ip = network;
    if ((void *)(ip + 1) > end || ip->protocol != protocol || ip->ihl < 5 ||
        ip->frag_off & bpf_htons(0x1fff))
        return NULL;
    void *transport = network + ip->ihl * 4;
    return transport + size > end ? NULL : transport;
}

// Returns the transport header of an IPv6 packet of this protocol that is no later fragment, behind
// extension headers.
static __always_inline void *transport6(void *network, void *end, __u8 protocol, size_t size)
{
    struct ipv6hdr *ip = network;
    if ((void *)(ip + 1) > end)
        return NULL;
    __u8 next = ip->nexthdr;
    __u32 offset = sizeof(*ip);
    for (int i = 0; i < EXTENSIONS; i++) {
        if (next == protocol)
            break;
        struct extension *extension = network + offset;
        if ((void *)(extension + 1) > end)
            return NULL;
        if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) {
            offset += extension->len * 8 + 8;
        } else if (next == IPPROTO_AH) {
            offset += extension->len * 4 + 8;
        } else if (next == IPPROTO_FRAGMENT) {
            if (extension->offset & bpf_htons(0xfff8))
                return NULL;
            offset += 8;
        } else {
            return NULL;
        }
        next = extension->next;
    }
    if (next != protocol)
        return NULL;
    void *transport = network + offset;
    return transport + size > end ? NULL : transport;
}

// udp dst port 4789
SEC("xdp")
int vxlan(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = data;
    if ((void *)(ethernet + 1) > end)
        return XDP_PASS;
    struct ports *ports;
    if (ethernet->h_proto == bpf_htons(ETH_P_IP))
        ports = transport4(ethernet + 1, end, IPPROTO_UDP, sizeof(*ports));
    else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
        ports = transport6(ethernet + 1, end, IPPROTO_UDP, sizeof(*ports));
    else
        return XDP_PASS;
    return ports && ports->destination == bpf_htons(4789) ? to_socket(ctx) : XDP_PASS;
}

// ip and src net 10.0.0.0/8 and tcp dst portrange 8000-8999
SEC("xdp")
int range(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = data;
    struct iphdr *ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
        (ip->saddr & bpf_htonl(0xff000000)) != bpf_htonl(0x0a000000))
        return XDP_PASS;
    struct ports *ports = transport4(ip, end, IPPROTO_TCP, sizeof(*ports));
    if (!ports)
        return XDP_PASS;
    __u16 port = bpf_ntohs(ports->destination);
    return port >= 8000 && port <= 8999 ? to_socket(ctx) : XDP_PASS;
}

// vlan 100 and ip and udp port 53
SEC("xdp")
int tagged(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = data;
    struct tag *tag = (void *)(ethernet + 1);
    if ((void *)(tag + 1) > end)
        return XDP_PASS;
    if (ethernet->h_proto != bpf_htons(ETH_P_8021Q) &&
        ethernet->h_proto != bpf_htons(ETH_P_8021AD) && ethernet->h_proto != bpf_htons(0x9100))
        return XDP_PASS;
    if ((tag->id & bpf_htons(0xfff)) != bpf_htons(100) || tag->type != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    struct ports *ports = transport4(tag + 1, end, IPPROTO_UDP, sizeof(*ports));
    if (!ports)
        return XDP_PASS;
    __be16 port = bpf_htons(53);
    return ports->source == port || ports->destination == port ? to_socket(ctx) : XDP_PASS;
}

// ip6 and dst net 2001:db8::/32 and tcp dst port 443
SEC("xdp")
int https6(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = data;
    struct ipv6hdr *ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IPV6) ||
        ip->daddr.s6_addr32[0] != bpf_htonl(0x20010db8))
        return XDP_PASS;
    struct ports *ports = transport6(ip, end, IPPROTO_TCP, sizeof(*ports));
    return ports && ports->destination == bpf_htons(443) ? to_socket(ctx) : XDP_PASS;
}

// ip and (icmp or (tcp dst port 80 and tcp[tcpflags] & (tcp-syn | tcp-ack) = tcp-syn))
SEC("xdp")
int syn(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = data;
    struct iphdr *ip = (void *)(ethernet + 1);
    if ((void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    if (ip->protocol == IPPROTO_ICMP)
        return to_socket(ctx);
    __u8 *tcp = transport4(ip, end, IPPROTO_TCP, 14);
    if (!tcp || ((struct ports *)tcp)->destination != bpf_htons(80))
        return XDP_PASS;
    return (tcp[13] & 0x12) == 2 ? to_socket(ctx) : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
