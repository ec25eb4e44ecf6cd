import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** The properties of a container on Linux, read off the specification's schema: config-schema.json, config-linux.json. */
const PROPERTIES = `
ociVersion
root.path
root.readonly
mounts[].destination
mounts[].type
mounts[].source
mounts[].options
mounts[].uidMappings
mounts[].gidMappings
process.terminal
process.consoleSize.height
process.consoleSize.width
process.cwd
process.env
process.args
process.user.uid
process.user.gid
process.user.umask
process.user.additionalGids
process.user.username
process.capabilities.bounding
process.capabilities.effective
process.capabilities.inheritable
process.capabilities.permitted
process.capabilities.ambient
process.rlimits[].type
process.rlimits[].soft
process.rlimits[].hard
process.noNewPrivileges
process.apparmorProfile
process.selinuxLabel
process.oomScoreAdj
process.ioPriority.class
process.ioPriority.priority
process.scheduler.policy
process.scheduler.nice
process.scheduler.priority
process.scheduler.flags
process.scheduler.runtime
process.scheduler.deadline
process.scheduler.period
process.execCPUAffinity.initial
process.execCPUAffinity.final
hostname
domainname
annotations
hooks.prestart
hooks.createRuntime
hooks.createContainer
hooks.startContainer
hooks.poststart
hooks.poststop
linux.namespaces[].type
linux.namespaces[].path
linux.uidMappings
linux.gidMappings
linux.timeOffsets.boottime
linux.timeOffsets.monotonic
linux.devices[].type
linux.devices[].path
linux.devices[].major
linux.devices[].minor
linux.devices[].fileMode
linux.devices[].uid
linux.devices[].gid
linux.netDevices
linux.cgroupsPath
linux.resources.devices[].allow
linux.resources.devices[].type
linux.resources.devices[].major
linux.resources.devices[].minor
linux.resources.devices[].access
linux.resources.memory.limit
linux.resources.memory.reservation
linux.resources.memory.swap
linux.resources.memory.kernel
linux.resources.memory.kernelTCP
linux.resources.memory.swappiness
linux.resources.memory.disableOOMKiller
linux.resources.memory.useHierarchy
linux.resources.memory.checkBeforeUpdate
linux.resources.cpu.shares
linux.resources.cpu.quota
linux.resources.cpu.period
linux.resources.cpu.burst
linux.resources.cpu.cpus
linux.resources.cpu.mems
linux.resources.cpu.idle
linux.resources.cpu.realtimeRuntime
linux.resources.cpu.realtimePeriod
linux.resources.pids.limit
linux.resources.blockIO.weight
linux.resources.blockIO.leafWeight
linux.resources.blockIO.weightDevice[].weight
linux.resources.blockIO.weightDevice[].leafWeight
linux.resources.blockIO.throttleReadBpsDevice
linux.resources.blockIO.throttleWriteBpsDevice
linux.resources.blockIO.throttleReadIOPSDevice
linux.resources.blockIO.throttleWriteIOPSDevice
linux.resources.hugepageLimits[].pageSize
linux.resources.hugepageLimits[].limit
linux.resources.network.classID
linux.resources.network.priorities
linux.resources.rdma
linux.resources.unified
linux.rootfsPropagation
linux.seccomp.defaultAction
linux.seccomp.defaultErrnoRet
linux.seccomp.flags
linux.seccomp.listenerPath
linux.seccomp.listenerMetadata
linux.seccomp.architectures
linux.seccomp.syscalls[].names
linux.seccomp.syscalls[].action
linux.seccomp.syscalls[].errnoRet
linux.seccomp.syscalls[].args[].index
linux.seccomp.syscalls[].args[].value
linux.seccomp.syscalls[].args[].valueTwo
linux.seccomp.syscalls[].args[].op
linux.sysctl
linux.maskedPaths
linux.readonlyPaths
linux.mountLabel
linux.intelRdt.closID
linux.intelRdt.schemata
linux.intelRdt.l3CacheSchema
linux.intelRdt.memBwSchema
linux.intelRdt.enableMonitoring
linux.memoryPolicy.mode
linux.memoryPolicy.nodes
linux.memoryPolicy.flags
linux.personality.domain
linux.personality.flags
`;

interface Row {
  readonly property: string;
  readonly becomes: string;
  readonly shownBy: string;
}

function readTable(): readonly Row[] {
  const text = readFileSync('src/runtime/PROPERTIES.md', 'utf8');
  return [...text.matchAll(/^\| `([^`]+)` *\| (.*?) *\| (.*?) *\|$/gm)].map(
    ([, property = '', becomes = '', shownBy = '']) => ({ property, becomes, shownBy }),
  );
}

test('PROPERTIES.md has a row for every property of the specification, and no other', () => {
  const found = readTable().map(({ property }) => property);
  assert.deepEqual(found, PROPERTIES.trim().split('\n'));
  assert.equal(new Set(found).size, found.length);
});

test('PROPERTIES.md has no empty cell, and names tests that are there', () => {
  for (const { property, becomes, shownBy } of readTable()) {
    assert.notEqual(becomes, '', property);
    const [, file = '', title = ''] = /^([\w/.-]+): (.+)$/.exec(shownBy) ?? [];
    assert.ok(title.length > 3, `${property}: ${shownBy}`);
    const source = readFileSync(`test/${file}`, 'utf8');
    assert.ok(source.includes(title), `${property}: ${file} has no test of '${title}'`);
  }
});
