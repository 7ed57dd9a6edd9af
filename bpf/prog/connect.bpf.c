/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cgroup/connect, sendmsg, recvmsg, getpeername. A service address becomes a backend when the socket is connected or
 * the datagram sent, so that no packet pays for it. Fails open: an address that is no service stays, and so
 * does a pod's way to one for the proxy. A process of the node itself has no gate to hand it over: it goes to a
 * backend. What policy refuses for certain is refused here already (lib/refuse.h). cgroup/bind keeps the node's
 * processes off the ports that services have on it.
 */
#include "nm/config.h"
#include "lib/refuse.h"

enum nm_sock_verdict {
	NM_SOCK_REFUSE = 0,
	NM_SOCK_PROCEED = 1,
	NM_EADDRINUSE = 98,
	NM_ECONNREFUSED = 111,
	NM_EHOSTUNREACH = 113,
};

nm_inline void nm_connect_from_v4(struct nm_connect *c, struct bpf_sock_addr *ctx)
{
	nm_addr_from_v4(&c->addr, ctx->user_ip4);
	c->port_be = ctx->user_port;
	c->proto = ctx->protocol;
	c->v4_only = 1;
	c->random = bpf_get_prandom_u32();
	c->cookie = bpf_get_socket_cookie(ctx);
}

/* IPv4 addresses that an IPv6 socket uses come mapped, which is how the tables have them anyway. */
nm_inline void nm_connect_from_v6(struct nm_connect *c, struct bpf_sock_addr *ctx)
{
	c->addr.w[0] = ctx->user_ip6[0];
	c->addr.w[1] = ctx->user_ip6[1];
	c->addr.w[2] = ctx->user_ip6[2];
	c->addr.w[3] = ctx->user_ip6[3];
	c->port_be = ctx->user_port;
	c->proto = ctx->protocol;
	c->v4_only = 0;
	c->random = bpf_get_prandom_u32();
	c->cookie = bpf_get_socket_cookie(ctx);
}

nm_inline void nm_connect_to_v4(struct bpf_sock_addr *ctx, const struct nm_connect *c)
{
	ctx->user_ip4 = c->addr.w[3];
	ctx->user_port = c->port_be;
}

nm_inline void nm_connect_to_v6(struct bpf_sock_addr *ctx, const struct nm_connect *c)
{
	ctx->user_ip6[0] = c->addr.w[0];
	ctx->user_ip6[1] = c->addr.w[1];
	ctx->user_ip6[2] = c->addr.w[2];
	ctx->user_ip6[3] = c->addr.w[3];
	ctx->user_port = c->port_be;
}

nm_inline void nm_connect_where(struct nm_connect *c, struct bpf_sock_addr *ctx)
{
	c->netns = bpf_get_netns_cookie(ctx);
	c->on_node = c->netns == nm_config.node_netns;
	c->now_ns = nm_now_ns();
}

nm_inline int nm_sock_refuse(__u32 reason, int error)
{
	nm_count(0, reason, NM_EGRESS, 0);
	if (bpf_set_retval(-error))
		nm_count(0, NM_REASON_HELPER_FAILED, NM_EGRESS, 0);
	return NM_SOCK_REFUSE;
}

/* A caller that must not wait for what cannot come is told at once, also where a packet would be dropped. */
nm_inline int nm_connect_refuse(__u32 redirect)
{
	if (redirect == NM_REDIRECT_POLICY)
		return nm_sock_refuse(NM_REASON_TRAFFIC_POLICY, NM_EHOSTUNREACH);
	return nm_sock_refuse(NM_REASON_NO_BACKEND, NM_ECONNREFUSED);
}

nm_inline int nm_toward_v4(struct bpf_sock_addr *ctx)
{
	struct nm_connect c;
	__u32 redirect;

	nm_connect_from_v4(&c, ctx);
	nm_connect_where(&c, ctx);
	redirect = nm_redirect_decide(&c);
	if (redirect != NM_REDIRECT_LEAVE && redirect != NM_REDIRECT_REWRITE)
		return nm_connect_refuse(redirect);
	/* EPERM. */
	if (nm_connect_is_refused(&c))
		return NM_SOCK_REFUSE;
	if (redirect == NM_REDIRECT_LEAVE)
		return NM_SOCK_PROCEED;
	nm_connect_to_v4(ctx, &c);
	nm_count(0, NM_REASON_TRANSLATED, NM_EGRESS, 0);
	return NM_SOCK_PROCEED;
}

nm_inline int nm_toward_v6(struct bpf_sock_addr *ctx)
{
	struct nm_connect c;
	__u32 redirect;

	nm_connect_from_v6(&c, ctx);
	nm_connect_where(&c, ctx);
	redirect = nm_redirect_decide(&c);
	if (redirect != NM_REDIRECT_LEAVE && redirect != NM_REDIRECT_REWRITE)
		return nm_connect_refuse(redirect);
	/* EPERM. */
	if (nm_connect_is_refused(&c))
		return NM_SOCK_REFUSE;
	if (redirect == NM_REDIRECT_LEAVE)
		return NM_SOCK_PROCEED;
	nm_connect_to_v6(ctx, &c);
	nm_count(0, NM_REASON_TRANSLATED, NM_EGRESS, 0);
	return NM_SOCK_PROCEED;
}

nm_inline int nm_bind_check(struct bpf_sock_addr *ctx, struct nm_connect *c)
{
	nm_connect_where(c, ctx);
	return c->on_node && nm_bind_is_taken(c) ? nm_sock_refuse(NM_REASON_PORT_TAKEN, NM_EADDRINUSE)
						 : NM_SOCK_PROCEED;
}

/* The kernel lets recvmsg and getpeername only proceed. */
nm_inline int nm_back_v4(struct bpf_sock_addr *ctx)
{
	struct nm_connect c;

	nm_connect_from_v4(&c, ctx);
	if (nm_reverse_decide(&c))
		nm_connect_to_v4(ctx, &c);
	return NM_SOCK_PROCEED;
}

nm_inline int nm_back_v6(struct bpf_sock_addr *ctx)
{
	struct nm_connect c;

	nm_connect_from_v6(&c, ctx);
	if (nm_reverse_decide(&c))
		nm_connect_to_v6(ctx, &c);
	return NM_SOCK_PROCEED;
}

SEC("cgroup/connect4")
int nm_connect4(struct bpf_sock_addr *ctx)
{
	return nm_toward_v4(ctx);
}

SEC("cgroup/connect6")
int nm_connect6(struct bpf_sock_addr *ctx)
{
	return nm_toward_v6(ctx);
}

SEC("cgroup/sendmsg4")
int nm_sendmsg4(struct bpf_sock_addr *ctx)
{
	return nm_toward_v4(ctx);
}

SEC("cgroup/sendmsg6")
int nm_sendmsg6(struct bpf_sock_addr *ctx)
{
	return nm_toward_v6(ctx);
}

SEC("cgroup/recvmsg4")
int nm_recvmsg4(struct bpf_sock_addr *ctx)
{
	return nm_back_v4(ctx);
}

SEC("cgroup/recvmsg6")
int nm_recvmsg6(struct bpf_sock_addr *ctx)
{
	return nm_back_v6(ctx);
}

SEC("cgroup/getpeername4")
int nm_getpeername4(struct bpf_sock_addr *ctx)
{
	return nm_back_v4(ctx);
}

SEC("cgroup/getpeername6")
int nm_getpeername6(struct bpf_sock_addr *ctx)
{
	return nm_back_v6(ctx);
}

SEC("cgroup/bind4")
int nm_bind4(struct bpf_sock_addr *ctx)
{
	struct nm_connect c;

	nm_connect_from_v4(&c, ctx);
	return nm_bind_check(ctx, &c);
}

SEC("cgroup/bind6")
int nm_bind6(struct bpf_sock_addr *ctx)
{
	struct nm_connect c;

	nm_connect_from_v6(&c, ctx);
	return nm_bind_check(ctx, &c);
}

/* A connected socket's row goes with it. Those of unconnected ones are many per socket and leave by age. */
SEC("cgroup/sock_release")
int nm_release(struct bpf_sock *sk)
{
	struct nm_connect c = {.port_be = sk->dst_port, .proto = sk->protocol, .cookie = bpf_get_socket_cookie(sk)};
	__u32 v4 = sk->dst_ip4;

	if (sk->dst_port == 0)
		return NM_SOCK_PROCEED;
	/* Keeps the compiler from reading through one pointer with two offsets, which the verifier refuses. */
	asm volatile("" : "+r"(v4));
	if (sk->family == NM_AF_INET) {
		nm_addr_from_v4(&c.addr, v4);
	} else if (sk->family == NM_AF_INET6) {
		c.addr.w[0] = sk->dst_ip6[0];
		c.addr.w[1] = sk->dst_ip6[1];
		c.addr.w[2] = sk->dst_ip6[2];
		c.addr.w[3] = sk->dst_ip6[3];
	} else {
		return NM_SOCK_PROCEED;
	}
	nm_reverse_forget(&c);
	return NM_SOCK_PROCEED;
}

char nm_license[] SEC("license") = "Dual BSD/GPL";
