"""An RTSP camera made of GStreamer's server: red pictures in H.264, and a user
with a password who is asked for it by digest.

    gstreamer_camera.py USER PASSWORD [PORT]

Prints its port, a free one unless it is given, and serves /live until its input
ends. Exits with 77 when
GStreamer is not there.
"""

import sys
import threading

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer
except (ImportError, ValueError):
    sys.exit(77)

LAUNCH = ("( videotestsrc is-live=true pattern=red "
          "! video/x-raw,width=320,height=240,framerate=15/1 "
          "! x264enc tune=zerolatency key-int-max=15 "
          "! rtph264pay name=pay0 pt=96 )")


def main() -> None:
    user, password = sys.argv[1:3]
    Gst.init(None)
    if Gst.ElementFactory.find("x264enc") is None:
        sys.exit(77)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[3] if len(sys.argv) > 3 else "0")
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "user")
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH)
    factory.set_shared(True)
    factory.add_role_from_structure(Gst.Structure.from_string(
        "user, media.factory.access=(boolean)true, "
        "media.factory.construct=(boolean)true")[0])
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()),
                     daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
