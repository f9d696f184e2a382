# SPDX-License-Identifier: Apache-2.0
"""The house rules that tools/check holds the tree to."""
