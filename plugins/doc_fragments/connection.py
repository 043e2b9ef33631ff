# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The options in CONNECTION_ARGUMENTS of plugins/module_utils/_manager/connection.py.
    DOCUMENTATION = r"""
options:
  url:
    description:
      - URL of the manager, such as V(https://dsm.example.com:4119). V(/api) at its end may be left out. Behind a
        reverse proxy, it may have a path, such as V(https://www.example.com/dsm).
      - You can also give the address that agents use, such as C(manager_url) of
        M(workload_security.agent.agent_cipher_facts). V(dsm://dsm.example.com:4120/) then means
        V(https://dsm.example.com:4119), with the usual port of the console.
      - One of O(url) and O(region) is required.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_URL) is used.
    type: str
  region:
    description:
      - Region of a Workload Security account in the cloud, instead of O(url).
      - One of V(ae-1), V(au-1), V(ca-1), V(de-1), V(gb-1), V(in-1), V(jp-1), V(sg-1), V(trend-us-1), V(us-1).
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_REGION) is used.
    type: str
  api_key:
    description:
      - API key of the manager, from a variable in a vault. If the task runs as a module (see the attribute C(action)),
        it is part of the module's arguments, which Ansible writes to a temporary file of the module's user unless
        pipelining is on.
      - One of O(api_key) and O(api_key_file) is required. If neither is set, the value of the environment variable
        E(WORKLOAD_SECURITY_API_KEY) is used, or else the file that E(WORKLOAD_SECURITY_API_KEY_FILE) names.
    type: str
  api_key_file:
    description:
      - Path of a file that contains only the API key, on one line, instead of O(api_key). The key is then only in this
        file. It is read where the module runs, and is not decrypted.
      - Best an absolute path. For a task, a relative one begins in the folder of the playbook, and that of a playbook of
        this collection is in the collection.
      - The task warns if anybody but the file's owner may read it.
      - If neither is set, the environment is used, as O(api_key) says, with E(WORKLOAD_SECURITY_API_KEY_FILE) for this
        option.
    type: path
  deployment:
    description:
      - Whether the manager is Workload Security in the cloud or an on-premises Deep Security Manager.
      - It decides which settings exist, and how O(api_key) is sent. V(cloud) sends it in the header C(Authorization),
        V(on_premises) in the header C(api-secret-key).
      - If not set, the environment variable E(WORKLOAD_SECURITY_DEPLOYMENT) decides, or else the host in O(url).
        C(cloudone.trendmicro.com) and C(app.deepsecurity.trendmicro.com) are then treated as the cloud, with the key
        sent in the header C(api-secret-key), which accounts from before Cloud One need.
    type: str
    choices:
      - cloud
      - on_premises
  ca_path:
    description:
      - Path of a PEM file with the certificates of the authorities that may have issued the manager's certificate, or
        with that certificate itself.
      - Best an absolute path. For a task, a relative one begins in the folder of the playbook, and that of a playbook of
        this collection is in the collection.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_CA_PATH) is used, or else the authorities
        that the system trusts.
    type: path
  validate_certs:
    description:
      - Whether to verify the manager's certificate.
      - With V(false), whoever answers at O(url) gets the API key, and each task warns. Use O(ca_path) instead.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_VALIDATE_CERTS) is used.
    type: bool
    default: true
  timeout:
    description:
      - How many seconds to wait for a connection, and for each part of a reply. From 1 to 600.
      - A whole reply may take ten times as long, and one second more for each 32 KiB. So large pages arrive over slow
        connections, but a reply that comes one byte at a time is cut off.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_TIMEOUT) is used.
    type: int
    default: 30
  concurrency:
    description:
      - How many connections to the manager to use at once. From 1 to 64.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_CONCURRENCY) is used.
    type: int
    default: 8
  requests_per_minute:
    description:
      - The most requests that a task sends to the manager in a minute, evenly spaced. V(0) sends them as fast as they
        are answered.
      - An on-premises manager accepts 500 requests a minute from one user, unless configured otherwise. Beyond that,
        requests are refused and the task waits until they are accepted again, so this option is only needed if others
        use the same API key.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_REQUESTS_PER_MINUTE) is used.
    type: int
    default: 0
  deadline:
    description:
      - How many minutes a task may talk to the manager, counted from when it begins to do so. From 0 to 10080. V(0) is
        no limit.
      - After that, no more requests are sent, and waits are cut short. A request that is already under way gets another
        O(timeout) to be answered. What was not done is reported with the word V(deadline) in C(code) of the failure,
        and the same task continues when it is run again.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_DEADLINE) is used.
    type: int
    default: 0
  progress_interval:
    description:
      - Seconds between two lines that show how far a task is, from V(0) to V(3600). With V(0), there are none. The
        first line comes after five seconds, or sooner if this is less.
      - A line says what the task is doing, how much of that is done and how much has failed, how many requests it has
        sent in the last minute, which limit it is waiting for, and about how long it will take. It goes to standard
        error and to Ansible's log file, and contains no names.
      - Only a task that runs in Ansible's own process shows it; see the attribute C(action).
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_PROGRESS_INTERVAL) is used.
    type: int
    default: 10
  proxy:
    description:
      - The HTTP proxy through which to reach the manager, as V(http://HOST:PORT) or V(http://USER:PASSWORD@HOST:PORT).
        Write characters that are special in a URL as C(%XX). The proxy cannot read the traffic, because TLS goes all
        the way to the manager.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_PROXY) is used, or else E(HTTPS_PROXY),
        unless E(NO_PROXY) names the manager. The last two may also be in lower case, which takes precedence.
      - E(NO_PROXY) is read as Python's C(urllib) and C(requests) do. It is a list separated by commas. A name means
        that host and all hosts below it, or with a port, only that port. An address or a network such as C(10.0.0.0/8)
        applies to managers whose O(url) has an address, which may be in brackets if it is IPv6. C(*) means every host.
      - It cannot be combined with O(jump_host).
    type: str
  use_proxy:
    description:
      - Whether to use a proxy, if O(proxy) or the environment names one.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_USE_PROXY) is used.
    type: bool
    default: true
  jump_host:
    description:
      - An SSH server through which to reach the manager. It cannot read the traffic, because TLS goes all the way to
        the manager.
      - Passwords are not supported.
      - If not set, the value of the environment variable E(WORKLOAD_SECURITY_JUMP_HOST) is used. It is the name of the
        SSH server, or all suboptions as V(host=jump.example.com, user=me) or as JSON.
      - It cannot be combined with a proxy. With E(HTTPS_PROXY) in the environment, set O(use_proxy=false).
    type: dict
    suboptions:
      host:
        description:
          - Name or address of the SSH server.
        type: str
        required: true
      port:
        description:
          - Port of the SSH server.
          - If not set, the port in C(ssh_config) is used, or else 22.
        type: int
      user:
        description:
          - User to log in as.
          - If not set, the user in C(ssh_config) is used, or else the user who runs the module.
        type: str
      private_key:
        description:
          - Path of a private key without a passphrase, RSA, ECDSA or Ed25519, in the format of OpenSSH, in PEM or in
            PKCS#8.
          - If not set, the key in C(ssh_config) is used, or else the keys in the SSH agent.
        type: path
      known_hosts:
        description:
          - Path of the file that holds the SSH server's host key. A server whose key is missing there, or differs, is
            refused. Nothing is ever added to the file.
          - It is read as OpenSSH reads it, including hashed names, wildcards and C(@revoked), but without support for
            host certificates. A line with C(@cert-authority) does not let a server through.
        type: path
        default: ~/.ssh/known_hosts
      ssh_config:
        description:
          - Path of a configuration file of OpenSSH, such as V(~/.ssh/config), in which C(host) is looked up, usually as
            an alias. C(HostName), C(Port), C(User), the first C(IdentityFile) that exists, and C(ProxyJump) to one
            other server are read from it, unless an option here says otherwise. The host keys of both servers must be
            in C(known_hosts).
          - Needs paramiko, which reads C(Host), C(Match) and C(Include). C(ProxyCommand) is refused. If a private key
            has a passphrase, the SSH agent must have that key.
          - If not set, no such file is read.
        type: path
requirements:
  - Python >= 3.11
  - urllib3 >= 2.7
  - paramiko >= 3.4.1, if O(jump_host) is used
notes:
  - An environment variable that is empty counts as not set.
  - The module runs where the manager's API can be reached, not on the hosts whose agents it manages. Use it with
    C(connection=local) or C(delegate_to=localhost).
  - Give the API key as O(api_key_file), as O(api_key) from a variable in a vault, or in the environment of
    C(ansible-playbook) itself. There only the same user and root can see it. But if facts of C(localhost) are gathered,
    an environment variable is among them (C(ansible_facts.env)), and in a fact cache.
  - Do not set E(WORKLOAD_SECURITY_API_KEY) with C(environment) of a block or play, nor of a task that runs as a module
    (see the attribute C(action)), and never give a key after C(-e). For modules, Ansible puts such an C(environment)
    into the command line of a shell, where every user of the machine can read it. With C(-vvv), it also shows the key
    and writes it to its log file, even with C(no_log). Modules warn if they can detect this.
"""
