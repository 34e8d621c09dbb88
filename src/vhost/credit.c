/* Flow control of one stream. Differences of the free-running counters are taken in 32 bits and
 * compared afterwards, so that they survive the counters' wrapping and a guest's lies. */

#include "vhost/credit.h"

#include <assert.h>

void credit_learn(Credit *credit, const Packet *packet)
{
        credit->peer_buffer = packet->buf_alloc;
        credit->peer_forwarded = packet->fwd_cnt;
}

void credit_tell(Credit *credit, Packet *packet)
{
        packet->buf_alloc = CREDIT_BUFFER;
        packet->fwd_cnt = credit->forwarded;
        credit->told = credit->forwarded;
}

uint32_t credit_room(const Credit *credit)
{
        uint32_t under_way = credit->sent - credit->peer_forwarded;

        return under_way < credit->peer_buffer ? credit->peer_buffer - under_way : 0;
}

void credit_send(Credit *credit, uint32_t n)
{
        assert(n <= credit_room(credit));
        credit->sent += n;
}

bool credit_receive(Credit *credit, uint32_t n)
{
        if (n > CREDIT_BUFFER - (credit->received - credit->forwarded))
                return false;
        credit->received += n;
        return true;
}

void credit_forward(Credit *credit, uint32_t n)
{
        assert(n <= credit->received - credit->forwarded);
        credit->forwarded += n;
}

bool credit_is_news(const Credit *credit)
{
        return credit->forwarded - credit->told >= CREDIT_BUFFER / 4;
}
