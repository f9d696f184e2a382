# SPDX-License-Identifier: Apache-2.0
"""Replaces the key pair that camera credentials are sealed with, while everything runs: the steps
that an operator does (docs/adr/0031), each of which may be repeated."""

from __future__ import annotations

from dev import build, daemons, keeper, keys, rest
from dev.instance import Instance, write_private
from dev.shell import output_of
from dev.ui import Step, say


def rotate(instance: Instance) -> None:
    publish(instance)
    seal_with_it(instance)
    for line in rewrap(instance).splitlines():
        say(line)
    retire(instance)


def publish(instance: Instance) -> None:
    """Both private keys for the workers, which read their file again when they need the new one."""
    folder = instance.secrets
    if not (folder / "seal-next.pub").exists():
        public, private = keys.seal_pair()
        old = keys.read(instance, "seal.key")
        write_private(folder / "seal.key", f"{private.hex()}\n{old}\n")
        write_private(folder / "seal-next.pub", public.hex() + "\n")


def seal_with_it(instance: Instance) -> None:
    """The apis seal for the new key from now on, one after the other."""
    write_private(instance.secrets / "seal.pub", keys.read(instance, "seal-next.pub") + "\n")
    for name in (name for name in ("api", "api-2") if keeper.running(instance, name)):
        with Step(f"restart weir-{name}"):
            keeper.stop(instance, name, timeout_s=20, forget=False)
            keeper.start_again(instance, name, counted=False)
            address = instance.address(f"{name}-admin")
            keeper.wait_ready(
                instance, name, lambda: rest.is_ready(address), daemons.READY_TIMEOUT_S
            )


def rewrap(instance: Instance) -> str:
    """What `weirctl rewrap` told; it fails while a camera is left under another key."""
    secrets = instance.secrets
    env = {
        "WEIR_API_INTERNAL_URL": f"http://{instance.address('api-internal')}",
        "WEIR_REWRAP_SECRET_FILE": str(secrets / "rewrap-secret"),
        "WEIR_SEAL_PRIVATE_KEY_FILE": str(secrets / "seal.key"),
    }
    argv = [str(build.binary("weirctl")), "rewrap"]
    return output_of(argv, env=env).decode()


def retire(instance: Instance) -> None:
    """The new private key alone is left; a worker forgets the old one at its next start."""
    newest = keys.read(instance, "seal.key").split()[0]
    write_private(instance.secrets / "seal.key", newest + "\n")
    (instance.secrets / "seal-next.pub").unlink(missing_ok=True)
