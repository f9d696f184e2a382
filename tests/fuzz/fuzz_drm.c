/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel tells of a descriptor, of whatever driver. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/drm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct drm_client client;
    char *text = calloc(1, size + 1);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    (void)drm_parse(text, &client);
    if (client.capacity < 1 || client.video_ns < 0 || client.id < 0 ||
        memchr(client.pdev, '\0', sizeof(client.pdev)) == NULL)
        abort();
    free(text);
    return 0;
}
