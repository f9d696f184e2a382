/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reasons: one closed list (lib/domain/reason.def) of why something is as it is, each with a
 * sentence for people. Events carry the name; readers must live with names they do not know, since
 * a newer writer may have more.
 *
 *     WEIR_STR_SET(effect->reason, weir_reason_name(WEIR_REASON_idle));
 */
#ifndef WEIR_DOMAIN_REASON_H
#define WEIR_DOMAIN_REASON_H

enum weir_reason {
#define WEIR_REASON(name, sentence) WEIR_REASON_##name,
#include "lib/domain/reason.def"
#undef WEIR_REASON
};

/* "idle" */
const char *weir_reason_name(enum weir_reason reason);

/* The sentence for a name; NULL for one that is not in the list. */
const char *weir_reason_sentence(const char *name);

#endif
