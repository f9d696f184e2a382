/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <glib-unix.h>
#include <gst/gst.h>

#include "tests/camera/server.h"

#define CONTROL_POLL_MS 100
#define MAX_PASSWORD    256

static const char *const fault_names[CAMERA_N_FAULTS] = {
    [CAMERA_FINE] = "none",         [CAMERA_SILENT] = "silent",
    [CAMERA_FREEZE] = "freeze",     [CAMERA_GARBAGE] = "garbage",
    [CAMERA_REFUSE] = "refuse",     [CAMERA_WRONGPASS] = "wrongpass",
    [CAMERA_REDIRECT] = "redirect", [CAMERA_NOTFOUND] = "notfound",
    [CAMERA_BUSY] = "busy",         [CAMERA_NOKEY] = "nokey",
    [CAMERA_LOSSY] = "lossy",       [CAMERA_VERY_LOSSY] = "very-lossy",
    [CAMERA_FROZEN] = "frozen",     [CAMERA_BLACK] = "black",
    [CAMERA_COVERED] = "covered",   [CAMERA_CLOCK] = "clock",
};

static const char *const codec_names[] = {"h264", "h265", "mjpeg", "vp8", NULL};
static const char *const pixel_names[] = {"plain", "422", "10bit", "interlaced", NULL};
static const char *const audio_names[] = {"none", "aac", "opus", "pcma", "pcmu", "l16", NULL};
static const char *const picture_names[] = {"ball", "room", NULL};

struct program {
    struct camera_settings settings;
    struct server *server;
    GMainLoop *loop;
};

bool camera_fault_find(const char *name, enum camera_fault *ret)
{
    g_autofree char *bare = g_strchomp(g_strdup(name));
    for (int i = 0; i < CAMERA_N_FAULTS; i++) {
        if (strcmp(fault_names[i], bare) == 0) {
            *ret = (enum camera_fault)i;
            return true;
        }
    }
    return false;
}

const char *camera_fault_name(enum camera_fault fault)
{
    return fault_names[fault];
}

static int index_in(const char *const *names, const char *name)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The control file is read rather than watched: a tenth of a second is soon enough for a test. */
static gboolean on_poll(gpointer user)
{
    struct program *program = user;
    g_autofree char *text = NULL;
    enum camera_fault fault = CAMERA_FINE;
    static enum camera_fault last = CAMERA_FINE;
    if (g_file_get_contents(program->settings.control, &text, NULL, NULL) &&
        camera_fault_find(text, &fault) && fault != last) {
        last = fault;
        server_set_fault(program->server, fault);
        g_print("fault: %s\n", camera_fault_name(fault));
    }
    return G_SOURCE_CONTINUE;
}

static gboolean on_end(gpointer user)
{
    struct program *program = user;
    g_main_loop_quit(program->loop);
    return G_SOURCE_CONTINUE;
}

static bool read_password(const char *path, char **ret)
{
    g_autoptr(GError) error = NULL;
    gsize length = 0;
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, &length, &error) || length > MAX_PASSWORD) {
        g_printerr("%s: %s\n", path, error != NULL ? error->message : "too long");
        return false;
    }
    text[strcspn(text, "\r\n")] = '\0';
    *ret = g_steal_pointer(&text);
    return true;
}

static bool parse_options(int argc, char **argv, struct camera_settings *s)
{
    char *codec = NULL, *audio = NULL, *size = NULL, *picture = NULL, *pixels = NULL,
         *password_file = NULL;
    gboolean noise = FALSE;
    const GOptionEntry entries[] = {
        {"listen", 0, 0, G_OPTION_ARG_STRING, &s->listen, "address (127.0.0.1)", "ADDRESS"},
        {"port", 0, 0, G_OPTION_ARG_INT, &s->port, "RTSP port", "N"},
        {"path", 0, 0, G_OPTION_ARG_STRING, &s->path, "mount point (/cam)", "PATH"},
        {"codec", 0, 0, G_OPTION_ARG_STRING, &codec, "h264, h265, mjpeg or vp8", "NAME"},
        {"pixels", 0, 0, G_OPTION_ARG_STRING, &pixels, "of H.264: plain, 422, 10bit or interlaced",
         "NAME"},
        {"audio", 0, 0, G_OPTION_ARG_STRING, &audio, "none, aac, opus, pcma, pcmu or l16", "NAME"},
        {"size", 0, 0, G_OPTION_ARG_STRING, &size, "picture size (640x360)", "WxH"},
        {"fps", 0, 0, G_OPTION_ARG_INT, &s->fps, "frames a second (15)", "N"},
        {"gop", 0, 0, G_OPTION_ARG_INT, &s->gop, "frames between keyframes (fps)", "N"},
        {"bframes", 0, 0, G_OPTION_ARG_INT, &s->bframes, "consecutive B-frames (0)", "N"},
        {"bitrate", 0, 0, G_OPTION_ARG_INT, &s->bitrate_kbps, "kbit/s (600)", "N"},
        {"noise", 0, 0, G_OPTION_ARG_NONE, &noise, "a picture that needs its bitrate", NULL},
        {"picture", 0, 0, G_OPTION_ARG_STRING, &picture, "ball, or room (an empty one)", "NAME"},
        {"user", 0, 0, G_OPTION_ARG_STRING, &s->user, "digest user (no authentication)", "NAME"},
        {"password-file", 0, 0, G_OPTION_ARG_STRING, &password_file, "digest password", "FILE"},
        {"redirect", 0, 0, G_OPTION_ARG_STRING, &s->redirect, "where a redirect points", "URL"},
        {"control", 0, 0, G_OPTION_ARG_STRING, &s->control, "file with the fault's name", "FILE"},
        G_OPTION_ENTRY_NULL};
    g_autoptr(GOptionContext) context = g_option_context_new("- a test camera");
    g_autoptr(GError) error = NULL;
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("%s\n", error->message);
        return false;
    }
    int codec_at = codec == NULL ? (int)CAMERA_H264 : index_in(codec_names, codec);
    int pixels_at = pixels == NULL ? (int)CAMERA_PLAIN : index_in(pixel_names, pixels);
    int audio_at = audio == NULL ? (int)CAMERA_NO_AUDIO : index_in(audio_names, audio);
    int picture_at = picture == NULL ? 0 : index_in(picture_names, picture);
    if (size != NULL && sscanf(size, "%dx%d", &s->width, &s->height) != 2) {
        s->width = 0;
    }
    if (s->gop == 0) {
        s->gop = s->fps;
    }
    if (codec_at < 0 || pixels_at < 0 || audio_at < 0 || picture_at < 0 || s->port < 1 ||
        s->port > 65535 || s->width % 40 != 0 || s->width < 80 || s->width > 8400 ||
        s->height < 32 || s->height > 2160 || s->fps < 1 || s->fps > 60 || s->gop < 1 ||
        s->gop > 6000 || s->bframes < 0 || s->bframes > 4) {
        g_printerr("an option is out of range (width: a multiple of 40); see --help\n");
        return false;
    }
    s->is_noisy = noise;
    s->is_room = picture_at == 1;
    s->codec = (enum camera_codec)codec_at;
    s->pixels = (enum camera_pixels)pixels_at;
    s->audio = (enum camera_audio)audio_at;
    if ((s->user == NULL) != (password_file == NULL)) {
        g_printerr("--user and --password-file go together\n");
        return false;
    }
    return password_file == NULL || read_password(password_file, &s->password);
}

int main(int argc, char **argv)
{
    struct program program = {.settings = {.listen = "127.0.0.1",
                                           .path = "/cam",
                                           .width = 640,
                                           .height = 360,
                                           .fps = 15,
                                           .bitrate_kbps = 600,
                                           .redirect = "rtsp://127.0.0.1:1/elsewhere"}};
    struct camera_settings *settings = &program.settings;
    if (!parse_options(argc, argv, settings)) {
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    program.loop = g_main_loop_new(NULL, FALSE);
    program.server = server_open(settings);
    if (program.server == NULL) {
        return 1;
    }
    g_unix_signal_add(SIGTERM, on_end, &program);
    g_unix_signal_add(SIGINT, on_end, &program);
    if (settings->control != NULL) {
        g_timeout_add(CONTROL_POLL_MS, on_poll, &program);
    }
    g_print("listening on rtsp://%s:%d%s\n", settings->listen, settings->port, settings->path);
    g_main_loop_run(program.loop);
    server_close(&program.server);
    g_main_loop_unref(program.loop);
    return 0;
}
