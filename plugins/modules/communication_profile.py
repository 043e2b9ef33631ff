#!/usr/bin/python
# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: communication_profile
short_description: Bring a fleet into line with a document of communication profiles
version_added: 1.0.0
description:
  - Brings the manager into line with a document of profiles. Each profile is a set of targets with any of the facets
    heartbeat, communication direction and firewall restriction.
  - All targets are resolved first. Profiles may overlap, but two that declare different things for one target are
    refused. Then everything is read once and planned once, and each target is written once.
  - In check mode, the result shows what differs, and nothing is written. O(plan_file) keeps the plan in a file.
    O(apply_plan) later applies exactly that plan, and O(expected_digest) only a plan with that digest.
author:
  - The workload_security.agent contributors (@workload-security)
extends_documentation_fragment:
  - workload_security.agent.connection
  - workload_security.agent.attributes
  - workload_security.agent.attributes.action
  - workload_security.agent.attributes.action_group
  - workload_security.agent.run
  - workload_security.agent.run.slice
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  plan_file:
    description:
      - The file to write the plan to, as JSON, in a folder that exists. It is replaced as a whole, and only its owner
        may read it.
      - It is on the machine where the module runs. For a play on C(localhost), or with C(connection=local), that is the
        machine that Ansible runs on, and a relative path begins at the folder of the playbook. Otherwise it begins at
        the module's working directory.
      - It contains the manager's URL, the time, the digest, the groups of equal steps, O(profiles), what cannot be
        applied (C(refusals)), and every single step. It never has the API key.
      - With O(slice) or O(only), it is the plan of that part.
      - Outside check mode it is written as well, before the first change, as a record of what was started.
    type: path
  apply_plan:
    description:
      - The file of a plan to apply, which a task with O(plan_file) has written on the machine where the module runs. It
        contains the profiles, so O(profiles), O(undeclared), O(scope) and O(plan_file) must be left out.
      - The task reads the manager again and plans again. If it arrives at the plan in the file, it writes the steps of
        that plan. Otherwise it writes nothing, and fails with C(failure.code) V(plan_changed); RV(plan_changes) shows
        the difference.
      - If a part of the plan is done, because a run was interrupted or part of it failed, the task continues with the
        rest. Every step that is still to be done must be in the file, and must start from the same value on the target.
        Every other step in the file must be done already, and its target must still be one of the document.
      - If nothing is left to do, because the plan has already been applied, the task succeeds and changes nothing.
      - What the plan refuses (C(refusals)) was reviewed with it. The rest is done, and then the task fails and names
        what was refused.
      - The file is not trusted. If its parts do not match, or it is for another manager, this is an error.
      - O(slice) and O(only) apply a part of it, unless the file is the plan of a part.
    type: path
  expected_digest:
    description:
      - The digest of the plan that was reviewed, from the result of check mode (RV(digest)). If the task arrives at
        another plan, it writes nothing and fails with C(failure.code) V(plan_changed), in check mode as well.
      - After an interrupted run, the plan is a different one, and the digest alone does not show that it is the rest of
        the reviewed one. Use O(apply_plan) to continue after such a run.
      - If there is nothing to do, the task succeeds.
    type: str
  undo_plan:
    description:
      - The file of a plan that was applied, in full or in part. Only those changes of O(profiles) that undo that plan
        are carried out. A rollout uses it to put a wave back to its snapshot, with O(undeclared=remove) and
        O(scope=targets).
      - What that plan has not written stays as it is. If somebody else has since changed what it has written to a
        target, that facet of the target stays as it is now, and so does whatever depends on it. RV(left_alone) lists
        both.
      - The file is not trusted, and is only compared with what the manager has. It cannot be combined with O(plan_file)
        or O(apply_plan).
    type: path
  undeclared:
    description:
      - What happens to overrides in the O(scope), of any facet, that the document does not declare. For the firewall
        restriction, these are rules that restrict the agents' port, or may do so, or that this collection made, and
        that are assigned to a target itself.
      - "V(keep): they are not looked for."
      - "V(report): RV(undeclared) lists them, and they stay as they are. They do not count as a change."
      - "V(remove): they are removed like any other change, and the plan shows them first. If you remove a profile from
        the document, the overrides that it has set are removed with it."
      - A removal that would leave an agent on macOS with a direction that it does not support is refused.
      - In the cloud, only the vendor can set the heartbeat interval and its thresholds, when a customer asks for it. If
        these have unusual values, a warning says so, and they are neither reported nor removed.
      - A firewall rule that no document can declare is reported, but not removed, and a warning names it. The same is
        true of several rules of a target for which no restriction is declared.
    type: str
    choices: [keep, report, remove]
    default: keep
  scope:
    description:
      - Where O(undeclared) looks for overrides.
      - "V(declared): on the targets of the document, and on every policy and computer below its policies."
      - "V(targets): only on the targets of the document. This is how snapshots are restored."
      - "V(fleet): on every policy and computer of the manager."
    type: str
    choices: [declared, targets, fleet]
    default: declared
  only:
    description:
      - Carry out only the steps of these targets, with all that they need, such as a rule and its lists. Nothing is
        written to targets that are named here but are not in the document.
      - The document is still planned as a whole, so that the steps take the rest into account.
      - Changes that affect other targets, too, are left to a task without O(only). These are changes of rules and lists
        that the targets already have, and deletions. RV(later) counts them.
      - With O(apply_plan), the plan in the file is compared as a whole, and then the steps of these targets are carried
        out. That way, a plan that was reviewed once can be carried out in waves.
    type: dict
    suboptions:
      policies:
        description:
          - See option O(profiles[].policies).
        type: raw
      below:
        description:
          - See option O(profiles[].below).
        type: list
        elements: raw
      policies_matching:
        description:
          - See option O(profiles[].policies_matching).
        type: list
        elements: str
      policies_query:
        description:
          - See option O(profiles[].policies_query).
        type: str
      computers:
        description:
          - See option O(profiles[].computers).
        type: list
        elements: raw
      computer_groups:
        description:
          - See option O(profiles[].computer_groups).
        type: list
        elements: raw
      computers_matching:
        description:
          - See option O(profiles[].computers_matching).
        type: list
        elements: str
      computers_query:
        description:
          - See option O(profiles[].computers_query).
        type: str
      allow_missing:
        description:
          - See option O(profiles[].allow_missing).
        type: bool
        default: false
      allow_empty:
        description:
          - See option O(profiles[].allow_empty).
        type: bool
        default: false
  profiles:
    description:
      - The document, a list of profiles. Required, unless O(apply_plan) has them.
      - An empty list declares nothing, and is an error with O(undeclared=remove).
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the profile, for messages and results. It must be unique.
        type: str
        required: true
      policies:
        description:
          - Policies, each by its name (text) or ID (number). Case matters.
          - V(all), not in a list, stands for all policies. To name a policy that is called V(all), use a list,
            V([all]).
        type: raw
      below:
        description:
          - Selects all policies below these, at any depth. Each is given by its name (text) or ID (number), and is not
            selected itself, unless it is below another one.
        type: list
        elements: raw
      policies_matching:
        description:
          - Shell patterns. They select all policies whose names match one of them.
          - V(*) stands for any text, V(?) for any character, V([abc]) for one of these, V([!abc]) for any other. Case
            matters.
        type: list
        elements: str
      policies_query:
        description:
          - A JMESPath expression that selects policies from the list of all of them. Each has C(id), a number, and as
            text C(name), C(parent) (the name of its parent policy), C(path) (such as V(Base Policy/Linux/Web)) and
            C(description). Missing text is empty, not null.
          - For example V([?starts_with(path, 'Base Policy/Linux/'\) && contains(description, 'PCI'\)]).
          - Put text in single quotes; JMESPath reads V("...") as the name of a field. A field that policies do not have
            is an error, and so is a policy or path that does not exist in a comparison by V(==) or V(!=).
        type: str
      computers:
        description:
          - Computers, each by its host name or else its display name (text), or its ID (number). If no name matches
            exactly, case is ignored.
          - A name that several computers share is an error that names them.
          - Up to ten are searched for. For more, or if a search does not find one, the list of all computers is read,
            5,000 per request.
        type: list
        elements: raw
      computer_groups:
        description:
          - Groups of computers, each by its path such as V(Data center/Web) (text) or its ID (number). Selects all
            computers in these groups and in the groups below them.
        type: list
        elements: raw
      computers_matching:
        description:
          - Shell patterns. Each selects all computers whose host names match it, or if there are none, those whose
            display names match it.
          - V(*) stands for any text, V(?) for any character, V([abc]) for one of these, V([!abc]) for any other. Case
            does not matter.
        type: list
        elements: str
      computers_query:
        description:
          - A JMESPath expression that selects computers from the list of all of them. Each has C(id), a number, and as
            text C(host_name), C(display_name), C(platform), C(platform_family), C(agent_version), C(last_ip),
            C(policy), C(policy_path) and C(group_path). Missing text is empty, not null.
            O(workload_security.agent.computer_info#module:query) has the same fields.
          - C(platform_family) is V(linux), V(windows), V(macos), V(solaris), V(aix) or V(other). C(last_ip) is the
            address that the agent used last. C(group) is the same as C(group_path).
          - Besides JMESPath's own functions, there are C(version_lt), C(version_le), C(version_gt), C(version_ge) and
            C(version_eq), which compare two versions, such as V(version_lt(agent_version, '20.0.2'\)). If there is no
            agent, or a version cannot be read, the comparison is neither true nor false. By itself, neither it nor its
            negation with V(!) selects the computer. A warning counts these computers. V(in_network(last_ip,
            '10.0.0.0/8'\)) tells whether an address is in a network or range, or in one of a list of them.
            V(lower(host_name\)) is text in lower case.
          - For example V([?starts_with(platform, 'Ubuntu'\) && policy == 'Linux Server']), or V([]) for all.
          - Put text in single quotes; JMESPath reads V("...") as the name of a field. A field that computers do not
            have is an error, and so is a policy, path or group that does not exist in a comparison by V(==) or V(!=).
        type: str
      allow_missing:
        description:
          - Whether to continue if something that this profile names does not exist on the manager, including what a
            query compares with, and patterns that match nothing. Then a warning names it.
          - By default, this is an error, which names everything that is missing in any profile, and the most similar
            names, before anything is written.
        type: bool
        default: false
      allow_empty:
        description:
          - Whether it is acceptable that a query, a pattern or a group of this profile selects nothing, that there is
            nothing below a policy, or that all of these options together select nothing. By default, this is an error.
        type: bool
        default: false
      try_on:
        description:
          - Computers below the policies of this profile, on which P(workload_security.agent.rollout#role) first tries
            what the plan changes on these policies. It sets the changes on the computers themselves, judges them, then
            writes to the policies, and finally removes the changes from the computers.
          - Outside a rollout, this option is only checked, and nothing is tried.
          - The computers must currently inherit what is tried, and no profile may declare it for them. A restriction
            can be tried only with a rule that does not change for others, on computers that have no other rule for the
            agents' port, because a computer cannot lose a rule that its policy has. Otherwise, the rollout does not
            begin.
        type: dict
        suboptions:
          computers:
            description:
              - See option O(profiles[].computers).
            type: list
            elements: raw
          computer_groups:
            description:
              - See option O(profiles[].computer_groups).
            type: list
            elements: raw
          computers_matching:
            description:
              - See option O(profiles[].computers_matching).
            type: list
            elements: str
          computers_query:
            description:
              - See option O(profiles[].computers_query).
            type: str
          sample:
            description:
              - How many of these computers to try it on, as a number such as V(3), or as a percentage such as V(5 %),
                which is rounded up. If there are fewer, all of them.
              - If no other option is given, the sample is taken from all computers below those policies of the profile
                that change.
              - The sample represents policies and groups fairly, and is always the same. Computers on which the change
                cannot be tried are left out.
            type: str
      heartbeat:
        description:
          - See M(workload_security.agent.heartbeat).
        type: dict
        suboptions:
          interval:
            description:
              - Minutes between heartbeats, from V(1) to V(43200), or V(inherited).
              - On-premises only. In the cloud it is fixed at 10 minutes, and setting it is an error.
              - Which intervals a manager accepts is not documented. If it refuses one, the task fails.
            type: str
          missed_before_alert:
            description:
              - How many heartbeats may be missed before an alert is raised, V(unlimited), or V(inherited).
              - On-premises only. In the cloud it is fixed at 2, and setting it is an error.
            type: str
          maximum_clock_change:
            description:
              - How many minutes a computer's clock may change between heartbeats before an alert is raised,
                V(unlimited), or V(inherited).
              - On-premises only. In the cloud, setting it is an error.
            type: str
          raise_offline_errors_for_inactive_vms:
            description:
              - Whether a virtual machine that is stopped raises an offline error, V(true), V(false), or V(inherited).
            type: str
          accept_inherited:
            description:
              - Whether to accept a value that a target inherits, if it is the declared one, instead of setting it on
                the target itself.
            type: bool
            default: false
      communication_direction:
        description:
          - See M(workload_security.agent.communication_direction).
        type: dict
        suboptions:
          direction:
            description:
              - "V(bidirectional): agents send heartbeats, and listen for the manager."
              - "V(manager_initiated): the manager connects to agents, also for heartbeats."
              - "V(agent_initiated): agents connect to the manager and do not listen. A change of their settings reaches
                them at their next heartbeat."
              - "V(inherited): removes what is set on the target, so that the parent policy's value holds."
              - Agents on macOS only support V(agent_initiated). Any other direction that would reach one fails the
                task, which names the computers.
              - In the cloud the vendor strongly recommends keeping V(agent_initiated). A task that changes it warns.
            type: str
            required: true
            choices: [bidirectional, manager_initiated, agent_initiated, inherited]
          accept_inherited:
            description:
              - Whether to accept a direction that a target inherits, if it is the declared one, instead of setting it
                on the target itself.
            type: bool
            default: false
      firewall_restriction:
        description:
          - See M(workload_security.agent.firewall_restriction).
        type: dict
        suboptions:
          state:
            description:
              - "V(present): keeps the rule, its lists, and its assignment to each target."
              - "V(assigned): keeps the rule assigned to each target, whatever the rule is and whoever made it. It must
                exist. A warning says if it restricts nothing. This is how a complete snapshot keeps rules that cannot
                be declared."
              - "V(absent): unassigns the rule from each target. Once no policy or computer has it, the rule and its
                lists are deleted, but only if this collection created them. To find that out, the assignments of the
                whole fleet are read."
            type: str
            choices: [present, assigned, absent]
            default: present
          rule_name:
            description:
              - Name of the firewall rule. An existing rule with this name is changed to what is declared.
            type: str
            default: "Agent port: named sources only"
          action:
            description:
              - Action of the rule. All pages of the vendor agree that V(bypass) replaces the hidden rule; only one page
                says so of V(force_allow).
            type: str
            choices: [bypass, force_allow]
            default: bypass
          port:
            description:
              - The port on which agents listen, from V(1) to V(65535).
            type: int
            default: 4118
          port_list:
            description:
              - Name of a port list on the manager that contains O(profiles[].firewall_restriction.port). It becomes the
                rule's destination instead of the port alone.
              - Only one page of the vendor says that a port list is accepted here.
            type: str
          source_ips:
            description:
              - Who may connect, as addresses (V(192.0.2.7)), networks (V(192.0.2.0/24), V(2001:db8::/32)) or ranges
                (V(192.0.2.10 - 192.0.2.20)).
              - If O(profiles[].firewall_restriction.source_macs) is also given, a connection must match one of each.
              - Addresses that together admit practically everybody (a quarter of IPv4, or a V(/5) of IPv6) are refused
                unless O(profiles[].firewall_restriction.allow_everybody=true).
              - Nothing is silently ignored. A comment (V(# text)), the zone of an address (V(%eth0)) and an IPv4
                address written as IPv6 are errors.
            type: list
            elements: str
          ip_list_name:
            description:
              - Name of the IP list that holds O(profiles[].firewall_restriction.source_ips). By default the name of the
                rule, followed by V((IPs\)).
              - An existing list with this name is changed to what is declared, but see
                O(profiles[].firewall_restriction.allow_shared_lists).
            type: str
          source_macs:
            description:
              - Who may connect, as MAC addresses in any usual notation. For connections from other networks, agents see
                the MAC of the last router.
              - Put them in quotes. Without quotes, YAML reads V(52:54:00:12:34:56) as a number, which is an error here.
            type: list
            elements: str
          mac_list_name:
            description:
              - Name of the MAC list that holds O(profiles[].firewall_restriction.source_macs). By default the name of
                the rule, followed by V((MACs\)).
            type: str
          manager_addresses:
            description:
              - The addresses, networks or ranges from which the manager connects to agents.
                O(profiles[].firewall_restriction.source_ips) must admit them all, so that the restriction cannot shut
                the manager out.
            type: list
            elements: str
          manager_region:
            description:
              - A region of the cloud. O(profiles[].firewall_restriction.source_ips) must admit the subnets published
                for it. They may change; the vendor's page on port numbers has the current ones.
            type: str
          manager_macs:
            description:
              - "The MACs from which the manager's packets reach the agents: the manager's own, or those of the last
                router. O(profiles[].firewall_restriction.source_macs) must hold them all."
            type: list
            elements: str
          allow_manager_lockout:
            description:
              - Whether the restriction may shut the manager out. Then
                O(profiles[].firewall_restriction.manager_addresses),
                O(profiles[].firewall_restriction.manager_region) and O(profiles[].firewall_restriction.manager_macs)
                are not needed.
            type: bool
            default: false
          allow_everybody:
            description:
              - Whether O(profiles[].firewall_restriction.source_ips) may admit practically everybody. Then the rule
                restricts nothing.
            type: bool
            default: false
          allow_shared_lists:
            description:
              - Whether to change an IP or MAC list that this collection did not create, even if other rules use it and
                change their meaning with it. By default this is refused, and the rules are named.
            type: bool
            default: false
          warn_above_ipv4_prefix:
            description:
              - Warn if O(profiles[].firewall_restriction.source_ips) admit more IPv4 addresses than a network with a
                prefix of this length has, from V(0), which never warns, to V(32).
            type: int
            default: 8
          warn_above_ipv6_prefix:
            description:
              - The same for IPv6, from V(0) to V(128).
            type: int
            default: 32
          accept_inherited:
            description:
              - Whether to accept a rule that a target inherits from its policies, instead of assigning it to the target
                itself.
            type: bool
            default: false
seealso:
  - module: workload_security.agent.communication_info
"""

EXAMPLES = r"""
---
- name: Keep how servers and Macs communicate with the manager
  workload_security.agent.communication_profile:
    url: https://dsm.example.com:4119
    profiles:
      - name: servers
        policies: [Linux Server, Windows Server]
        heartbeat:
          interval: 10
          missed_before_alert: 3
        communication_direction:
          direction: bidirectional
        firewall_restriction:
          source_ips: [192.0.2.10]
          manager_addresses: [192.0.2.10]
      - name: macs
        computers_query: "[?contains(platform, 'macOS')]"
        communication_direction:
          direction: agent_initiated
          accept_inherited: true

- name: Write what a document would change to a file, to be reviewed
  workload_security.agent.communication_profile:
    url: https://dsm.example.com:4119
    profiles: "{{ profiles }}"
    plan_file: plan.json
  check_mode: true

- name: Apply exactly the plan that was reviewed
  workload_security.agent.communication_profile:
    url: https://dsm.example.com:4119
    apply_plan: plan.json

- name: Apply it to a few computers first
  workload_security.agent.communication_profile:
    url: https://dsm.example.com:4119
    apply_plan: plan.json
    only:
      computers: [web-1, web-2]

- name: Apply the second of three slices, while other machines apply the others
  workload_security.agent.communication_profile:
    url: https://dsm.example.com:4119
    apply_plan: plan.json
    requests_per_minute: 450
    slice:
      number: 2
      of: 3
"""

RETURN = r"""
---
summary:
  description: One line that counts what changed, what was as declared, and what failed.
  returned: when the manager could be read
  type: str
  sample: "changed communication_direction: direction agent_initiated for 1028 computers; 12 computers as declared"
plan:
  description:
    - What was changed, or in check mode, what would be. Changes that differ only in their targets are one group.
    - If a group has very many names, some are left out; C(count) counts all of them. O(list_targets) returns all names.
  returned: when the manager could be read
  type: list
  elements: dict
  contains:
    facet:
      description: Which facet.
      type: str
      returned: always
    option:
      description: Which option of the facet, or the name of the firewall rule that is assigned or taken away.
      type: str
      returned: always
    before:
      description: What was set on the targets, or V(inherited) if nothing was.
      type: raw
      returned: always
    effective_before:
      description:
        - What was effective for the targets, as C(value), and where that was set, as C(source). V(here) is the target
          itself. C(value) is null if the manager does not say.
      type: dict
      returned: always
    after:
      description: What is set on them now.
      type: raw
      returned: always
    why:
      description: What made the change necessary.
      type: str
      returned: always
    policies:
      description: The names of the policies.
      type: list
      elements: str
      returned: always
    computers:
      description: The names of the computers.
      type: list
      elements: str
      returned: always
    count:
      description: How many policies and computers there are.
      type: int
      returned: always
  sample:
    - facet: heartbeat
      option: interval
      before: inherited
      effective_before: {value: 5, source: "policy 'Base Policy' (ID 1)"}
      after: 10
      why: interval is not set here; 5 is inherited from the policy 'Base Policy' (ID 1)
      policies: [Linux Server]
      computers: []
      count: 1
left_alone:
  description:
    - What was not taken back, each with the C(type), C(id) and C(name) of the target, rule or list, the C(facet), and
      the C(reason). C(left_alone) of RV(counts) counts them.
  returned: with O(undo_plan)
  type: list
  elements: dict
  sample:
    - type: computer
      id: 41
      name: web-1
      facet: heartbeat
      reason: "changed by somebody else since: interval is 9, where the plan wrote 7"
later:
  description:
    - How many C(steps) of the plan are left to another task, of how many C(targets), and which C(objects) (rules and
      lists, the first 20 of C(objects_count)) are left.
  returned: when the task carries out a part of the plan
  type: dict
  sample: {steps: 2, targets: 0, objects: ["firewall rule 'Plant' (ID 31)", "IP list 'Plant (IPs)' (ID 7)"], objects_count: 2}
digest:
  description: A short name for the content of the plan, including what failed. Equal plans have equal digests.
  returned: when the manager could be read
  type: str
  sample: 1f0d7a35c2f4b8e9
plan_file:
  description: Where the plan was written.
  returned: with O(plan_file)
  type: str
  sample: /srv/plans/dsm.json
plan_changes:
  description:
    - What is only in the reviewed plan and has not been done (C(no_longer)), and what is only in the plan of this task
      (C(new)), in the form of RV(plan) and RV(objects), and the same as the lines of a C(diff). If only
      O(expected_digest) is given, the content of the reviewed plan is not known.
    - Long lists are cut, unless O(list_targets=true).
  returned: when the plan that came out is not the reviewed one
  type: dict
  sample: {no_longer: [], new: [], diff: []}
undeclared:
  description:
    - What is set within the O(scope) and not declared, in the form of RV(plan), as if it were removed.
  returned: with O(undeclared=report)
  type: list
  elements: dict
  sample: []
objects:
  description: Firewall rules and lists that were created, changed or deleted, with C(before), C(after) and C(why).
  returned: when the manager could be read
  type: list
  elements: dict
  sample: []
counts:
  description:
    - How many targets were C(changed) and C(unchanged), and how many entries the full list of RV(failed_targets) has.
  returned: when the manager could be read
  type: dict
  sample: {changed: 1, unchanged: 2, failed: 0}
changed_targets:
  description: The targets that were changed, by C(type), C(id) and C(name).
  returned: when the manager could be read
  type: list
  elements: dict
  sample: [{type: policy, id: 7, name: Linux Server}]
unchanged_targets:
  description: How many targets were as declared, and with O(list_targets) their names as C(policies) and C(computers).
  returned: when the manager could be read
  type: dict
  sample: {count: 2}
failed_targets:
  description:
    - The targets, rules and lists that failed, each with the C(facet), the C(reason) in words, and if the manager
      refused it, its answer as C(failure). What is not listed here is done.
    - C(state) is V(not_done), V(not_known) if a change may have been made and this could not be checked, or
      V(not_tried) if something failed that had to come first, or if the run stopped.
  returned: when the manager could be read
  type: list
  elements: dict
  sample: []
truncated:
  description: Whether lists in this result were cut. RV(counts) and the C(count) of each group are always complete.
  returned: when lists were cut
  type: bool
  sample: true
requests:
  description: How many requests the task has C(sent), and how many of them were C(writes).
  returned: when the manager could be read
  type: dict
  sample: {sent: 9, writes: 0}
failure:
  description:
    - Why nothing was done. C(code) is one word to test for, such as V(bad_option), V(unauthorized), V(timed_out).
  returned: when the task failed before anything was written
  type: dict
  sample:
    code: bad_option
    option: profiles[Servers].heartbeat.interval
    message: "option 'profiles[Servers].heartbeat.interval' is '0': it must be ..."
"""

from ..module_utils._task.converging import of_profiles
from ..module_utils._task.module import run_module

WORK = of_profiles()


def main() -> None:
    """Read the document, converge, report."""
    run_module(WORK)


if __name__ == "__main__":
    main()
