# SPDX-License-Identifier: Apache-2.0
"""Reads schemas/*.json and writes lib/domain/events.{h,c} and docs/events.md."""
