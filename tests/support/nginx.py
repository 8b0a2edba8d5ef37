"""nginx with the configuration that docs/index.md shows, for a registry's directory, on a port of its own.

with nginx(root) as url: ...
"""

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.programs import installer_environment, require_program
from tests.support.served import free_port, other_server

DOCUMENT = Path(__file__).parents[2] / "docs" / "index.md"
_AROUND = """
daemon off; master_process off; pid {place}/pid; error_log stderr;
events {{}}
http {{
    access_log off; types {{}}
    client_body_temp_path {place}/a; proxy_temp_path {place}/b; fastcgi_temp_path {place}/c;
    uwsgi_temp_path {place}/d; scgi_temp_path {place}/e;
    {shown}
}}
"""


@contextlib.contextmanager
def nginx(root: Path) -> Iterator[str]:
    """Serves what is published below `root`."""
    program, port = require_program("nginx"), free_port()
    (shown,) = re.findall(r"^```nginx\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    shown = shown.replace("/srv/registry", f'"{root}"').replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    with tempfile.TemporaryDirectory(prefix="assess-nginx-") as place:
        configuration = Path(place, "nginx.conf")
        configuration.write_text(_AROUND.format(place=place, shown=shown))
        command = [program, "-p", place, "-c", str(configuration)]
        subprocess.run([*command, "-t"], check=True, capture_output=True, timeout=60)
        with other_server(command, port, installer_environment()) as url:
            yield url
