/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/silence.h"

#define AAC_LC       2 /* audio object type, ISO/IEC 14496-3 table 1.17 */
#define AAC_SAMPLES  1024
#define SHORT_FRAMES 0x04  /* frameLengthFlag: 960 samples */
#define OPUS_TICKS   960   /* 20 ms at 48 kHz */
#define OPUS_HOLE    12000 /* its packets last up to 120 ms */

/* raw_data_block (ISO/IEC 14496-3, 4.4.2.1): elements without spectrum, and the end. */
static const uint8_t aac_mono[] = {0x00, 0xc8, 0x00, 0x80, 0x23, 0x80};
static const uint8_t aac_stereo[] = {0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80};
/* CELT, full band, 20 ms, one channel (RFC 6716 section 3.1), and a frame of silence. */
static const uint8_t opus[] = {0xf8, 0xff, 0xfe};

static bool is_lc(const struct tap_format *format)
{
    return format->audio == TAP_CODEC_AAC && format->audio_config_len >= 2 &&
           format->audio_config[0] >> 3 == AAC_LC && (format->audio_config[1] & SHORT_FRAMES) == 0;
}

bool tap_silence_of(const struct tap_format *format, struct tap_silence *ret)
{
    if (format->audio == TAP_CODEC_OPUS)
        *ret = (struct tap_silence){opus, sizeof(opus), OPUS_TICKS, OPUS_HOLE};
    else if (is_lc(format) && format->audio_channels == 1)
        *ret = (struct tap_silence){aac_mono, sizeof(aac_mono), AAC_SAMPLES, 2 * AAC_SAMPLES};
    else if (is_lc(format) && format->audio_channels == 2)
        *ret = (struct tap_silence){aac_stereo, sizeof(aac_stereo), AAC_SAMPLES, 2 * AAC_SAMPLES};
    else
        return false;
    return true;
}
