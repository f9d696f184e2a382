/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command on its way to Kafka while its request waits without a thread. Two hold it: the request,
 * and the delivery that is still to come; who lets go last frees it.
 */
#ifndef WEIR_API_PENDING_H
#define WEIR_API_PENDING_H

#include "lib/io/bus.h"
#include "lib/io/http_server.h"

struct api_pending;

/* Held by the request, whose `token` is woken when the outcome is known. */
struct api_pending *api_pending_new(struct weir_http_server *server, uint64_t token);

/* The delivery's share: give it to the bus with api_pending_delivered; taken back by
 * api_pending_unref when nothing was sent. */
void api_pending_ref(struct api_pending *pending);
void api_pending_unref(struct api_pending *pending);
weir_bus_delivery_fn api_pending_delivered;

/* False while the outcome is open. `ret_offset` is the record's when the outcome is WEIR_OK. */
bool api_pending_outcome(struct api_pending *pending, enum weir_code *ret, int64_t *ret_offset);

#endif
