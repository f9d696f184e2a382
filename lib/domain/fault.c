/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/fault.h"

#include <stdio.h>
#include <string.h>

const char *weir_fault_name(enum weir_fault fault)
{
    static const char *const names[WEIR_FAULT_N] = {[WEIR_FAULT_STALLED] = "stalled",
                                                    [WEIR_FAULT_LOW_FPS] = "low_fps",
                                                    [WEIR_FAULT_NO_KEYFRAME] = "no_keyframe",
                                                    [WEIR_FAULT_LOSS] = "loss",
                                                    [WEIR_FAULT_DRIFT] = "drift",
                                                    [WEIR_FAULT_PARAMETERS] = "parameters",
                                                    [WEIR_FAULT_FROZEN] = "frozen",
                                                    [WEIR_FAULT_BLACK] = "black",
                                                    [WEIR_FAULT_COVERED] = "covered",
                                                    [WEIR_FAULT_OVERSPEED] = "overspeed",
                                                    [WEIR_FAULT_OTHER_SOURCE] = "other_source"};
    return names[fault];
}

const char *weir_faults_format(unsigned faults, char ret[static WEIR_FAULTS_TEXT_MAX])
{
    ret[0] = '\0';
    for (int i = 0; i < WEIR_FAULT_N; i++) {
        if ((faults >> i & 1U) != 0) {
            size_t len = strlen(ret);
            snprintf(ret + len, WEIR_FAULTS_TEXT_MAX - len, "%s%s", len > 0 ? " " : "",
                     weir_fault_name((enum weir_fault)i));
        }
    }
    return ret;
}
