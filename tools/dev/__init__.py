# SPDX-License-Identifier: Apache-2.0
"""The developer command: sets up what Weir stands on, runs it, tests it (standard library only)."""
