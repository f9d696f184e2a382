/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/camera/media.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include <gst/rtp/rtp.h>
#include <gst/video/video.h>

#include "tests/camera/pipeline.h"
#include "tests/camera/room.h"
#include "tests/camera/stamp.h"

#define RTP_HEADER_BYTES 12
#define CLOCK_AHEAD_S    3
#define TONE_US          40000
#define TONE_LOUD        20000
#define TONE_TURNS       (2 * G_PI * 1000 / 1000000) /* of 1 kHz, in a microsecond */

static _Atomic int present_fault = CAMERA_FINE;

void media_set_fault(enum camera_fault fault)
{
    atomic_store(&present_fault, (int)fault);
}

static enum camera_fault fault_now(void)
{
    return (enum camera_fault)atomic_load(&present_fault);
}

/* One GstRTSPMedia type of our own, to reach its rtpbin before it starts. */
G_DECLARE_FINAL_TYPE(CameraMedia, camera_media, CAMERA, MEDIA, GstRTSPMedia)
struct _CameraMedia {
    GstRTSPMedia parent;
};
G_DEFINE_TYPE(CameraMedia, camera_media, GST_TYPE_RTSP_MEDIA)

/* The picture tells the true time on. */
static void set_clock_ahead(GstRTCPPacket *packet)
{
    guint32 ssrc, rtp_time, packets, octets;
    guint64 ntp_time;
    gst_rtcp_packet_sr_get_sender_info(packet, &ssrc, &ntp_time, &rtp_time, &packets, &octets);
    gst_rtcp_packet_sr_set_sender_info(packet, ssrc, ntp_time + ((guint64)CLOCK_AHEAD_S << 32),
                                       rtp_time, packets, octets);
}

static GstPadProbeReturn on_report(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    (void)pad;
    (void)user;
    if (fault_now() != CAMERA_CLOCK) {
        return GST_PAD_PROBE_OK;
    }
    GstBuffer *buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
    GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
    GstRTCPPacket packet;
    if (gst_rtcp_buffer_map(buffer, GST_MAP_READWRITE, &rtcp)) {
        if (gst_rtcp_buffer_get_first_packet(&rtcp, &packet) &&
            gst_rtcp_packet_get_type(&packet) == GST_RTCP_TYPE_SR) {
            set_clock_ahead(&packet);
        }
        gst_rtcp_buffer_unmap(&rtcp);
    }
    return GST_PAD_PROBE_OK;
}

static void on_rtpbin_pad(GstElement *rtpbin, GstPad *pad, gpointer user)
{
    (void)rtpbin;
    (void)user;
    if (g_str_has_prefix(GST_PAD_NAME(pad), "send_rtcp_src")) {
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_report, NULL, NULL);
    }
}

/*
 * By default sender reports carry the time of sending, which hides the encoder's delay; a camera
 * with an honest clock reports when the picture was taken.
 */
static gboolean setup_rtpbin(GstRTSPMedia *media, GstElement *rtpbin)
{
    (void)media;
    g_object_set(rtpbin, "rtcp-sync-send-time", FALSE, NULL);
    g_signal_connect(rtpbin, "pad-added", G_CALLBACK(on_rtpbin_pad), NULL);
    return TRUE;
}

static void camera_media_class_init(CameraMediaClass *class)
{
    GST_RTSP_MEDIA_CLASS(class)->setup_rtpbin = setup_rtpbin;
}

static void camera_media_init(CameraMedia *media)
{
    (void)media;
}

/* The wall-clock time of what the pipeline dates `pts`. */
static int64_t utc_us_of(GstElement *element, GstClockTime pts)
{
    g_autoptr(GstClock) clock = gst_element_get_clock(element);
    gint64 utc_us = g_get_real_time();
    if (clock != NULL && GST_CLOCK_TIME_IS_VALID(pts)) {
        GstClockTime now = gst_clock_get_time(clock) - gst_element_get_base_time(element);
        utc_us -= GST_CLOCK_DIFF(pts, now) / GST_USECOND;
    }
    return utc_us;
}

/* The first picture of the fault, as long as it lasts; each session has its own. */
static void hold_picture(GstPad *pad, const GstMapInfo *map)
{
    GBytes *held = g_object_get_data(G_OBJECT(pad), "weir-held");
    if (held == NULL) {
        held = g_bytes_new(map->data, map->size);
        g_object_set_data_full(G_OBJECT(pad), "weir-held", held, (GDestroyNotify)g_bytes_unref);
    }
    gsize size = 0;
    const void *bytes = g_bytes_get_data(held, &size);
    memcpy(map->data, bytes, MIN(size, map->size));
}

/* `map`: I420, so rows of luma come first, and then what has no colour. */
static void draw_picture(GstPad *pad, const struct camera_settings *settings, GstMapInfo *map,
                         uint64_t utc_ms)
{
    struct room_plane plane = {.luma = map->data,
                               .stride = (size_t)GST_ROUND_UP_4(settings->width),
                               .width = settings->width,
                               .height = settings->height};
    enum camera_fault fault = fault_now();
    if (fault == CAMERA_BLACK) {
        room_draw_black(&plane);
        return;
    }
    if (fault == CAMERA_COVERED) {
        room_draw_covered(&plane);
        return;
    }
    if (settings->is_room) {
        room_draw(&plane);
    }
    stamp_draw(plane.luma, (int)plane.stride, plane.width, utc_ms);
    if (fault == CAMERA_FROZEN) {
        hold_picture(pad, map);
    } else {
        g_object_set_data(G_OBJECT(pad), "weir-held", NULL);
    }
}

static GstPadProbeReturn on_picture(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    const struct camera_settings *settings = user;
    GstBuffer *buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
    g_autoptr(GstElement) source = gst_pad_get_parent_element(pad);
    GstMapInfo map;
    if (source != NULL && gst_buffer_map(buffer, &map, GST_MAP_READWRITE)) {
        draw_picture(pad, settings, &map,
                     (uint64_t)utc_us_of(source, GST_BUFFER_PTS(buffer)) / 1000);
        gst_buffer_unmap(buffer, &map);
    }
    return GST_PAD_PROBE_OK;
}

/* A short tone at the begin of each second of UTC, and nothing else: S16, one channel. */
static void draw_sound(GstMapInfo *map, int64_t utc_us)
{
    int16_t *samples = (int16_t *)(void *)map->data;
    for (gsize i = 0; i < map->size / sizeof(*samples); i++) {
        int64_t us = (utc_us + (int64_t)i * 1000000 / PIPELINE_SOUND_HZ) % 1000000;
        samples[i] = us < TONE_US ? (int16_t)(TONE_LOUD * sin((double)us * TONE_TURNS)) : 0;
    }
}

static GstPadProbeReturn on_sound(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    (void)user;
    GstBuffer *buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
    g_autoptr(GstElement) source = gst_pad_get_parent_element(pad);
    GstMapInfo map;
    if (source != NULL && gst_buffer_map(buffer, &map, GST_MAP_WRITE)) {
        draw_sound(&map, utc_us_of(source, GST_BUFFER_PTS(buffer)));
        gst_buffer_unmap(buffer, &map);
    }
    return GST_PAD_PROBE_OK;
}

static bool is_keyframe(const GstPadProbeInfo *info)
{
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    return !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
}

/* The first second always passes: without it RTSP could not even describe the stream. */
static GstPadProbeReturn on_encoded(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    (void)pad;
    const struct camera_settings *settings = user;
    enum camera_fault fault = fault_now();
    GObject *owner = G_OBJECT(pad);
    int seen = GPOINTER_TO_INT(g_object_get_data(owner, "weir-frames"));
    if (seen < settings->fps) {
        g_object_set_data(owner, "weir-frames", GINT_TO_POINTER(seen + 1));
        return GST_PAD_PROBE_OK;
    }
    if (fault == CAMERA_FREEZE || fault == CAMERA_SILENT) {
        return GST_PAD_PROBE_DROP;
    }
    return fault == CAMERA_NOKEY && is_keyframe(info) ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static void make_noise(GstBuffer *packet)
{
    GstMapInfo map;
    if (gst_buffer_map(packet, &map, GST_MAP_READWRITE)) {
        for (gsize i = RTP_HEADER_BYTES; i < map.size; i++) {
            map.data[i] = (guint8)g_random_int();
        }
        gst_buffer_unmap(packet, &map);
    }
}

static bool is_lost(void)
{
    int of_a_hundred = fault_now() == CAMERA_VERY_LOSSY ? 5 : 1;
    return g_random_int_range(0, 100) < of_a_hundred;
}

/* Their numbers are given already: who receives the others sees the hole. */
static GstPadProbeReturn lose(GstPadProbeInfo *info)
{
    if ((GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST) == 0) {
        return is_lost() ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
    }
    GstBufferList *list = gst_buffer_list_make_writable(GST_PAD_PROBE_INFO_BUFFER_LIST(info));
    GST_PAD_PROBE_INFO_DATA(info) = list;
    for (guint i = gst_buffer_list_length(list); i-- > 0;) {
        if (is_lost()) {
            gst_buffer_list_remove(list, i, 1);
        }
    }
    return gst_buffer_list_length(list) > 0 ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

static GstPadProbeReturn on_packet(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    (void)pad;
    (void)user;
    if (fault_now() == CAMERA_LOSSY || fault_now() == CAMERA_VERY_LOSSY) {
        return lose(info);
    }
    if (fault_now() != CAMERA_GARBAGE) {
        return GST_PAD_PROBE_OK;
    }
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
        GstBufferList *list = gst_buffer_list_make_writable(GST_PAD_PROBE_INFO_BUFFER_LIST(info));
        GST_PAD_PROBE_INFO_DATA(info) = list;
        for (guint i = 0; i < gst_buffer_list_length(list); i++) {
            make_noise(gst_buffer_list_get_writable(list, i));
        }
    } else {
        GstBuffer *packet = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
        GST_PAD_PROBE_INFO_DATA(info) = packet;
        make_noise(packet);
    }
    return GST_PAD_PROBE_OK;
}

static void probe(GstElement *bin, const char *element, GstPadProbeType type,
                  GstPadProbeCallback callback, const struct camera_settings *settings)
{
    g_autoptr(GstElement) found = gst_bin_get_by_name(GST_BIN(bin), element);
    g_autoptr(GstPad) pad = found == NULL ? NULL : gst_element_get_static_pad(found, "src");
    if (pad != NULL) {
        gst_pad_add_probe(pad, type, callback, (gpointer)settings, NULL);
    }
}

/* A sender report each second: readers learn the camera's clock soon. */
static void on_prepared(GstRTSPMedia *media, gpointer user)
{
    (void)user;
    for (guint i = 0; i < gst_rtsp_media_n_streams(media); i++) {
        GstRTSPStream *stream = gst_rtsp_media_get_stream(media, i);
        g_autoptr(GObject) session = gst_rtsp_stream_get_rtpsession(stream);
        if (session != NULL) {
            g_object_set(session, "rtcp-min-interval", (guint64)GST_SECOND, NULL);
        }
    }
}

static void on_configure(GstRTSPMediaFactory *factory, GstRTSPMedia *media, gpointer user)
{
    (void)factory;
    const struct camera_settings *settings = user;
    g_autoptr(GstElement) bin = gst_rtsp_media_get_element(media);
    GstPadProbeType packets = GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST;
    probe(bin, "picture", GST_PAD_PROBE_TYPE_BUFFER, on_picture, settings);
    probe(bin, "sound", GST_PAD_PROBE_TYPE_BUFFER, on_sound, settings);
    probe(bin, "encoder", GST_PAD_PROBE_TYPE_BUFFER, on_encoded, settings);
    probe(bin, "pay0", packets, on_packet, settings);
    probe(bin, "pay1", packets, on_packet, settings);
    g_signal_connect(media, "prepared", G_CALLBACK(on_prepared), NULL);
}

GstRTSPMediaFactory *media_factory_new(const struct camera_settings *settings)
{
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
    g_autofree char *text = pipeline_text(settings);
    gst_rtsp_media_factory_set_launch(factory, text);
    /* A client that sets up the video alone would leave a shared pipeline's sound blocked, and the
     * next DESCRIBE unanswered. */
    gst_rtsp_media_factory_set_shared(factory, FALSE);
    gst_rtsp_media_factory_set_media_gtype(factory, camera_media_get_type());
    gst_rtsp_media_factory_set_latency(factory, 0);
    if (settings->user != NULL) {
        gst_rtsp_media_factory_add_role(factory, "viewer", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS,
                                        G_TYPE_BOOLEAN, TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
                                        G_TYPE_BOOLEAN, TRUE, NULL);
    }
    g_signal_connect(factory, "media-configure", G_CALLBACK(on_configure), (gpointer)settings);
    return factory;
}
