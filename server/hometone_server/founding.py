"""Makes a coordinator: keys, certificates, descriptor, the log's first release. Safe to repeat after an interruption.

1. Name and address are written down. 2. The signing key and the certificate authority are made, unless they are there. 3. Release 0, which
changes nothing, is appended to the log. 4. The descriptor, which laptops will pin, is signed and written last: from then on there is a
coordinator.
"""

import numpy as np

from hometone_server.certificates import Certificates
from hometone_server.flower.bundle import bundle_sha256
from hometone_server.home import CoordinatorHome, split_address, write_private
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_shared.errors import UsageError
from hometone_shared.records.coordinator import CoordinatorDescriptor
from hometone_shared.shared_model import SharedModel


def found(home: CoordinatorHome, *, name: str, address: str) -> CoordinatorDescriptor:
    """Make a coordinator in a folder.

    Args:
        home: The folder; made when it is not there.
        name: What it is called, such as the name of a community centre.
        address: `host:port` by which laptops reach it.

    Raises:
        UsageError: There is one already, or name or address are none.
        StorageError: The disk refuses.
    """
    if home.exists:
        raise UsageError("there is a coordinator in this folder already", hint="choose another folder with --home")
    address = address.lower()  # host names know no capitals
    home.write_settings(name=name, address=address)  # (1)
    key = home.make_signing_key()  # (2)
    certificates = Certificates(home.certificates)
    certificates.create(split_address(address)[0])
    model = SharedModel.of_this_version()
    with LogStore(home.records_db, signing_key=key) as log:  # (3)
        releases = Releases.open(home, log)
        if not releases.chain().releases:
            releases.publish(np.zeros(1, dtype=np.float32), base_sha256=model.base_sha256, basis_sha256=model.basis_sha256)
    descriptor = CoordinatorDescriptor(address=address, bundle_sha256=bundle_sha256(), ca_sha256=certificates.authority_sha256(), name=name)
    write_private(home.descriptor, descriptor.signed(key).to_bytes())  # (4)
    return descriptor
