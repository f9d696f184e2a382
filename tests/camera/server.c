/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/camera/server.h"

#include <gst/rtsp-server/rtsp-server.h>

#include "tests/camera/media.h"

struct server {
    const struct camera_settings *settings;
    enum camera_fault fault;
    GstRTSPServer *rtsp;
    GstRTSPAuth *auth; /* NULL: none wanted */
    GSource *listener; /* NULL: nobody listens, or only `mute` does */
    GSocket *mute;     /* listens and never accepts: the kernel answers, we do not */
};

static bool listen_for_clients(struct server *server)
{
    g_autoptr(GError) error = NULL;
    server->listener = gst_rtsp_server_create_source(server->rtsp, NULL, &error);
    if (server->listener == NULL) {
        g_printerr("cannot listen on %s:%d: %s\n", server->settings->listen, server->settings->port,
                   error->message);
        return false;
    }
    g_source_attach(server->listener, NULL);
    return true;
}

static void stop_listening(struct server *server)
{
    if (server->listener != NULL) {
        g_source_destroy(server->listener);
        g_source_unref(server->listener);
        server->listener = NULL;
    }
    if (server->mute != NULL) {
        g_socket_close(server->mute, NULL);
        g_clear_object(&server->mute);
    }
}

static void listen_mute(struct server *server)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string(
        server->settings->listen, (guint)server->settings->port);
    server->mute =
        g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);
    if (server->mute == NULL || !g_socket_bind(server->mute, address, TRUE, &error) ||
        !g_socket_listen(server->mute, &error)) {
        g_printerr("silent: %s\n", error->message);
    }
}

static GstRTSPFilterResult remove_client(GstRTSPServer *rtsp, GstRTSPClient *client, gpointer user)
{
    (void)rtsp;
    (void)user;
    gst_rtsp_client_close(client);
    return GST_RTSP_FILTER_KEEP;
}

static void cut_clients(struct server *server)
{
    GList *clients = gst_rtsp_server_client_filter(server->rtsp, remove_client, NULL);
    g_list_free_full(clients, g_object_unref);
}

static void set_password(struct server *server, const char *password)
{
    if (server->auth == NULL) {
        return;
    }
    g_autoptr(GstRTSPToken) token =
        gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "viewer", NULL);
    gst_rtsp_auth_remove_digest(server->auth, server->settings->user);
    gst_rtsp_auth_add_digest(server->auth, server->settings->user, password, token);
}

static GstRTSPStatusCode on_describe(GstRTSPClient *client, GstRTSPContext *context, gpointer user)
{
    (void)client;
    (void)context;
    const struct server *server = user;
    if (server->fault == CAMERA_REDIRECT) {
        return GST_RTSP_STS_MOVE_TEMPORARILY;
    }
    return server->fault == CAMERA_NOTFOUND ? GST_RTSP_STS_NOT_FOUND : GST_RTSP_STS_OK;
}

static GstRTSPStatusCode on_setup(GstRTSPClient *client, GstRTSPContext *context, gpointer user)
{
    (void)client;
    (void)context;
    const struct server *server = user;
    return server->fault == CAMERA_BUSY ? GST_RTSP_STS_NOT_ENOUGH_BANDWIDTH : GST_RTSP_STS_OK;
}

static void on_send(GstRTSPClient *client, GstRTSPContext *context, GstRTSPMessage *message,
                    gpointer user)
{
    (void)client;
    (void)context;
    const struct server *server = user;
    GstRTSPStatusCode code;
    if (gst_rtsp_message_get_type(message) == GST_RTSP_MESSAGE_RESPONSE &&
        gst_rtsp_message_parse_response(message, &code, NULL, NULL) == GST_RTSP_OK &&
        code == GST_RTSP_STS_MOVE_TEMPORARILY) {
        gst_rtsp_message_add_header(message, GST_RTSP_HDR_LOCATION, server->settings->redirect);
    }
}

static void on_client(GstRTSPServer *rtsp, GstRTSPClient *client, gpointer user)
{
    (void)rtsp;
    g_signal_connect(client, "pre-describe-request", G_CALLBACK(on_describe), user);
    g_signal_connect(client, "pre-setup-request", G_CALLBACK(on_setup), user);
    g_signal_connect(client, "send-message", G_CALLBACK(on_send), user);
}

void server_set_fault(struct server *server, enum camera_fault fault)
{
    if (fault == server->fault) {
        return;
    }
    server->fault = fault;
    media_set_fault(fault);
    stop_listening(server);
    g_autofree char *other = g_strconcat(server->settings->password, " changed", NULL);
    set_password(server, fault == CAMERA_WRONGPASS ? other : server->settings->password);
    if (fault == CAMERA_REFUSE || fault == CAMERA_WRONGPASS) {
        cut_clients(server);
    }
    if (fault == CAMERA_SILENT) {
        listen_mute(server);
    } else if (fault != CAMERA_REFUSE) {
        (void)listen_for_clients(server);
    }
}

struct server *server_open(const struct camera_settings *settings)
{
    struct server *server = g_new0(struct server, 1);
    server->settings = settings;
    server->rtsp = gst_rtsp_server_new();
    g_autofree char *port = g_strdup_printf("%d", settings->port);
    gst_rtsp_server_set_address(server->rtsp, settings->listen);
    gst_rtsp_server_set_service(server->rtsp, port);
    g_signal_connect(server->rtsp, "client-connected", G_CALLBACK(on_client), server);
    if (settings->user != NULL) {
        server->auth = gst_rtsp_auth_new();
        gst_rtsp_auth_set_supported_methods(server->auth, GST_RTSP_AUTH_DIGEST);
        set_password(server, settings->password);
        gst_rtsp_server_set_auth(server->rtsp, server->auth);
    }
    g_autoptr(GstRTSPMountPoints) mounts = gst_rtsp_server_get_mount_points(server->rtsp);
    gst_rtsp_mount_points_add_factory(mounts, settings->path, media_factory_new(settings));
    if (!listen_for_clients(server)) {
        server_close(&server);
    }
    return server;
}

void server_close(struct server **server)
{
    struct server *old = *server;
    if (old == NULL) {
        return;
    }
    *server = NULL;
    stop_listening(old);
    cut_clients(old);
    g_clear_object(&old->auth);
    g_clear_object(&old->rtsp);
    g_free(old);
}
