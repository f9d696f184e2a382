/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/camera/pipeline.h"

#include <glib.h>

/* What comes before an encoder of H.264, and the profile behind it. */
static const struct {
    const char *before;
    const char *interlaced;
    const char *profile;
} pixel_texts[] = {
    [CAMERA_PLAIN] = {"", "false", "main"},
    [CAMERA_422] = {"videoconvert ! video/x-raw,format=Y42B !", "false", "high-4:2:2"},
    [CAMERA_10_BIT] = {"videoconvert ! video/x-raw,format=I420_10LE !", "false", "high-10"},
    /* Of two pictures one field each. */
    [CAMERA_INTERLACED] = {"interlace field-pattern=1:1 top-field-first=true !", "true", "main"},
};

static char *video_text(const struct camera_settings *s)
{
    switch (s->codec) {
    case CAMERA_H264:
        return g_strdup_printf("%s x264enc name=encoder speed-preset=ultrafast threads=1 "
                               "bitrate=%d key-int-max=%d bframes=%d b-adapt=false rc-lookahead=0 "
                               "sync-lookahead=0 interlaced=%s %s ! video/x-h264,profile=%s "
                               "! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96",
                               pixel_texts[s->pixels].before, s->bitrate_kbps, s->gop, s->bframes,
                               pixel_texts[s->pixels].interlaced,
                               s->bframes == 0 ? "tune=zerolatency" : "",
                               pixel_texts[s->pixels].profile);
    case CAMERA_H265:
        return g_strdup_printf("x265enc name=encoder speed-preset=ultrafast bitrate=%d "
                               "key-int-max=%d %s option-string=\"bframes=%d:pools=1:"
                               "frame-threads=1:scenecut=0:rc-lookahead=%d:log-level=0\" "
                               "! h265parse config-interval=-1 ! rtph265pay name=pay0 pt=96",
                               s->bitrate_kbps, s->gop, s->bframes == 0 ? "tune=zerolatency" : "",
                               s->bframes, s->bframes);
    case CAMERA_MJPEG:
        return g_strdup("jpegenc name=encoder quality=70 ! rtpjpegpay name=pay0 pt=26");
    case CAMERA_VP8:
        return g_strdup("vp8enc name=encoder deadline=1 cpu-used=8 ! rtpvp8pay name=pay0 pt=96");
    }
    g_assert_not_reached();
}

static const char *audio_text(enum camera_audio audio)
{
    switch (audio) {
    case CAMERA_NO_AUDIO:
        return "";
    case CAMERA_AAC:
        return "! audio/x-raw,rate=48000,channels=1 ! voaacenc bitrate=64000 ! aacparse "
               "! rtpmp4gpay name=pay1 pt=97";
    case CAMERA_OPUS:
        return "! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97";
    case CAMERA_PCMA:
        return "! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8";
    case CAMERA_L16:
        return "! audio/x-raw,rate=16000,channels=1,format=S16BE ! rtpL16pay name=pay1 pt=97";
    case CAMERA_PCMU:
        return "! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0";
    }
    g_assert_not_reached();
}

char *pipeline_text(const struct camera_settings *settings)
{
    g_autofree char *video = video_text(settings);
    g_autofree char *sound =
        settings->audio == CAMERA_NO_AUDIO
            ? g_strdup("")
            : g_strdup_printf("audiotestsrc name=sound is-live=true wave=sine "
                              "! audio/x-raw,format=S16LE,rate=%d,channels=1 ! audioconvert "
                              "! audioresample %s",
                              PIPELINE_SOUND_HZ, audio_text(settings->audio));
    return g_strdup_printf(
        "( videotestsrc name=picture is-live=true pattern=%s "
        "! video/x-raw,format=I420,width=%d,height=%d,framerate=%d/1 "
        "! %s %s )",
        settings->is_noisy ? "snow" : "ball", settings->width, settings->height,
        settings->pixels == CAMERA_INTERLACED ? 2 * settings->fps : settings->fps, video, sound);
}
