/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be wrong with a camera's picture (docs/adr/0036): a closed list. Messages between
 * processes of one machine carry a bit each, events and the api the names.
 */
#ifndef WEIR_DOMAIN_FAULT_H
#define WEIR_DOMAIN_FAULT_H

enum weir_fault {
    WEIR_FAULT_STALLED,
    WEIR_FAULT_LOW_FPS,
    WEIR_FAULT_NO_KEYFRAME,
    WEIR_FAULT_LOSS,
    WEIR_FAULT_DRIFT,
    WEIR_FAULT_PARAMETERS,
    WEIR_FAULT_FROZEN, /* these three by looking at pictures, docs/adr/0039 */
    WEIR_FAULT_BLACK,
    WEIR_FAULT_COVERED,
    WEIR_FAULT_OVERSPEED,
    WEIR_FAULT_OTHER_SOURCE, /* another one than main is to be read, and cannot be */
};
#define WEIR_FAULT_N 11

/* Bits of those that pictures tell; the others are told by packets. */
#define WEIR_FAULTS_VISIBLE                                                                        \
    (1U << WEIR_FAULT_FROZEN | 1U << WEIR_FAULT_BLACK | 1U << WEIR_FAULT_COVERED)

#define WEIR_FAULTS_TEXT_MAX 128

/* "low_fps" */
const char *weir_fault_name(enum weir_fault fault);

/* The names of the bits 1 << enum weir_fault, a space between them; others are left out. */
const char *weir_faults_format(unsigned faults, char ret[static WEIR_FAULTS_TEXT_MAX]);

#endif
