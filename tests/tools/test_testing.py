# SPDX-License-Identifier: Apache-2.0
"""What failed is counted, and named once more at the end."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from dev.testing import Count, count_case, count_of, failure_of

CMOCKA = """[==========] group: Running 3 test(s).
[  FAILED  ] test_second
[==========] 3 test(s) run.
[  PASSED  ] 2 test(s).
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] test_second

 1 FAILED TEST(S)
"""


def ctest(output: str, status: str) -> Count:
    case = ElementTree.Element("testcase", name="unit_ring", status=status)
    if status == "fail":
        ElementTree.SubElement(case, "failure", message="")
    ElementTree.SubElement(case, "system-out").text = output
    return count_case(case)


def test_each_test_inside_a_program_counts() -> None:
    assert ctest("[  PASSED  ] 3 test(s).\n", "run") == Count(passed=3)
    assert ctest(CMOCKA, "fail") == Count(passed=2, failed=1, failures=["unit_ring test_second"])


def test_a_program_that_tells_nothing_counts_as_one() -> None:
    assert ctest("", "run") == Count(passed=1)
    assert ctest("Segmentation fault\n", "fail") == Count(failed=1, failures=["unit_ring"])


def test_the_reason_is_one_line_of_bounded_length() -> None:
    case = ElementTree.Element("testcase", classname="tests.test_tap", name="test_x")
    assert failure_of(case) == ""
    ElementTree.SubElement(case, "failure", message="assert 1 == 2\n  where\t" + "x" * 1000)
    assert failure_of(case).startswith("tests.test_tap::test_x: assert 1 == 2 where xxx")
    assert len(failure_of(case)) == 300


def test_sums_keep_what_failed() -> None:
    total = count_of(True, "a")
    total.add(count_of(False, "b"))
    total.add(count_of(False, "c"))
    assert str(total) == "1 passed, 2 failed"
    assert total.failures == ["b", "c"]
