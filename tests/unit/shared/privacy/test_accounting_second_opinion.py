"""A second opinion on the accountant, from Opacus; only here, never in what is installed on both sides."""

import subprocess
import sys

import pytest

from hometone_shared.privacy.accounting import GaussianEvent, epsilon

accountants = pytest.importorskip("opacus.accountants")


def cost(accountant, *, multiplier, rounds, delta):
    accountant.history = [(multiplier, 1.0, rounds)]
    return accountant.get_epsilon(delta=delta)


@pytest.mark.parametrize(("multiplier", "rounds"), [(0.8, 1), (1.08, 1), (3.73, 1), (4.0, 16), (8.0, 30)])
@pytest.mark.parametrize("delta", [1e-5, 1 / 1270])
@pytest.mark.filterwarnings("ignore")
def test_two_other_accountants_agree(multiplier, rounds, delta):
    ours = epsilon([GaussianEvent(multiplier)] * rounds, delta=delta)
    privacy_random_variable = cost(accountants.PRVAccountant(), multiplier=multiplier, rounds=rounds, delta=delta)
    renyi = cost(accountants.RDPAccountant(), multiplier=multiplier, rounds=rounds, delta=delta)
    assert abs(ours - privacy_random_variable) < 0.02 + 0.01 * ours
    assert ours <= renyi
    assert renyi < 1.5 * ours + 0.2


def test_what_both_sides_install_does_not_load_it():
    code = (
        "import sys, hometone_shared.privacy.planning as p, hometone_shared.privacy.noise as n, hometone_shared.privacy.groups\n"
        "p.estimate(speakers=20, rounds=2, epsilon=4.0); n.discrete_gaussian(3, variance=9)\n"
        "sys.exit(bool({'torch', 'opacus', 'opendp'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
