# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: figures, samples, a stack of their own, and the alternatives."""
