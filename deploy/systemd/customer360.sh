#!/bin/sh
# A command of ours as the services run it: their user, their settings, which root alone reads, and
# their folders. Installed as /usr/local/sbin/customer360 (docs/deployment.md); for root.
exec systemd-run --quiet --wait --collect --pipe --pty \
    --uid=customer360 --gid=customer360 --working-directory=/var/lib/customer360 \
    --property=EnvironmentFile=/etc/customer360/pipeline.env --property=UMask=0077 \
    /opt/customer360/.venv/bin/customer360 "$@"
