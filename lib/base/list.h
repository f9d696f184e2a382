/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked list. The head and every node are `struct weir_list`; the owner of a
 * node is found with WEIR_CONTAINER. A node is in at most one list at a time.
 *
 *     WEIR_LIST_FOR (pos, &queue) { struct job *job = WEIR_CONTAINER(pos, struct job, node); }
 *
 * Removing the current node inside WEIR_LIST_FOR is allowed.
 */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct weir_list {
    struct weir_list *next;
    struct weir_list *prev;
};

#define WEIR_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define WEIR_LIST_FOR(pos, head)                                                                   \
    for (struct weir_list *pos = (head)->next, *pos##_next = pos->next; pos != (head);             \
         pos = pos##_next, pos##_next = pos->next)

static inline void weir_list_init(struct weir_list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool weir_list_is_empty(const struct weir_list *head)
{
    return head->next == head;
}

static inline void weir_list_insert_after(struct weir_list *at, struct weir_list *node)
{
    node->next = at->next;
    node->prev = at;
    at->next->prev = node;
    at->next = node;
}

static inline void weir_list_push_back(struct weir_list *head, struct weir_list *node)
{
    weir_list_insert_after(head->prev, node);
}

static inline void weir_list_push_front(struct weir_list *head, struct weir_list *node)
{
    weir_list_insert_after(head, node);
}

/* Leaves the node pointing at itself, so removing twice is harmless. */
static inline void weir_list_remove(struct weir_list *node)
{
    node->next->prev = node->prev;
    node->prev->next = node->next;
    weir_list_init(node);
}

#endif
