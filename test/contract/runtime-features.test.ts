import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { compileMemoryPolicy } from '../../src/runtime/compile-memory-policy.js';
import { compileSeccomp } from '../../src/runtime/compile-seccomp.js';
import { describeFeatures, type FeatureHost } from '../../src/runtime/describe-features.js';
import { parseMountOptions } from '../../src/runtime/mount-options.js';
import { readFeatureHost } from '../../src/runtime/read-feature-host.js';
import { assertFails } from '../support/assert-fails.js';
import { projectRoot } from '../support/cache-folder.js';

interface Features {
  readonly mountOptions: readonly string[];
  readonly linux: {
    readonly namespaces: readonly string[];
    readonly capabilities: readonly string[];
    readonly seccomp: {
      readonly enabled: boolean;
      readonly actions: readonly string[];
      readonly archs: readonly string[];
      readonly supportedFlags: readonly string[];
    };
    readonly memoryPolicy: { readonly modes: readonly string[] };
    readonly apparmor: { readonly enabled: boolean };
  };
}

const describe = (host: FeatureHost): Features => describeFeatures(host) as unknown as Features;
const features = describe(readFeatureHost());

test('features: every action, architecture and flag of a filter that is told of compiles, others do not', async () => {
  const { actions, archs, supportedFlags, enabled } = features.linux.seccomp;
  assert.ok(enabled);
  for (const action of actions) {
    compileSeccomp(profile({ action, listenerPath: '/run/x' }), { standalone: true, warn: fail });
  }
  for (const arch of archs) compileSeccomp(profile({ arch }), { warn: fail });
  for (const flag of supportedFlags) compileSeccomp(profile({ flag }), { warn: fail });
  await assertFails('RUNTIME_UNSUPPORTED', () =>
    compileSeccomp(profile({ action: 'SCMP_ACT_NEVER' }), { warn: fail }),
  );
  await assertFails('RUNTIME_CONFIG_INVALID', () =>
    compileSeccomp(profile({ arch: 'SCMP_ARCH_NEVER' }), { warn: fail }),
  );
});

function profile(parts: {
  readonly action?: string;
  readonly arch?: string;
  readonly flag?: string;
  readonly listenerPath?: string;
}): Parameters<typeof compileSeccomp>[0] {
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    defaultErrnoRet: undefined,
    architectures: parts.arch === undefined ? [] : [parts.arch],
    flags: parts.flag === undefined ? [] : [parts.flag],
    listenerPath: parts.listenerPath,
    listenerMetadata: undefined,
    syscalls: [
      { names: ['mkdir'], action: parts.action ?? 'SCMP_ACT_ERRNO', errnoRet: undefined, args: [] },
    ],
  };
}

function fail(warning: string): never {
  throw new Error(warning);
}

test('features: no mount option that is told of is taken for one of a file system', () => {
  const ofFileSystems = features.mountOptions.filter(
    (option) => parseMountOptions([option]).data.length > 0,
  );
  assert.deepEqual(ofFileSystems, ['dirsync', 'lazytime', 'mand', 'sync']);
  assert.equal(new Set(features.mountOptions).size, features.mountOptions.length);
  for (const option of ['rbind', 'rro', 'ridmap', 'rslave', 'nosymfollow', 'defaults']) {
    assert.ok(features.mountOptions.includes(option), option);
  }
});

test('features: namespaces, capabilities and modules are those of the kernel', () => {
  assert.ok(features.linux.namespaces.includes('time'));
  assert.ok(features.linux.capabilities.includes('CAP_CHECKPOINT_RESTORE'));
  assert.equal(features.linux.apparmor.enabled, existsSync('/sys/kernel/security/apparmor'));
  for (const mode of features.linux.memoryPolicy.modes) {
    const nodes = /DEFAULT|LOCAL/.test(mode) ? undefined : '0';
    assert.equal(compileMemoryPolicy({ mode, nodes, flags: [] }).length, 1);
  }
});

test('features: a host without filters, modules and new namespaces is told of as that', () => {
  const bare = describe({
    namespaces: ['mount'],
    lastCapability: 3,
    seccomp: undefined,
    apparmor: false,
    selinux: false,
    idmap: false,
  });
  assert.deepEqual(bare.linux.namespaces, ['mount']);
  assert.equal(bare.linux.capabilities.length, 4);
  assert.deepEqual(bare.linux.seccomp, { enabled: false });
});

test('features: commands of runc that are not here say so, and a slip is told what was meant', () => {
  const program = join(projectRoot, 'dist/bin/berth-runtime.cjs');
  for (const [words, wanted] of [
    [['checkpoint', 'box'], /berth-runtime does not checkpoint containers/],
    [['restore', '--bundle', '/srv', 'box'], /berth-runtime does not restore containers/],
    [['creat', 'box'], /there is no command 'creat'.*'create'/],
    [['list', '--fromat', 'json'], /there is no option '--fromat'; did you mean '--format'/],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [program, ...words], {
      encoding: 'utf8',
    });
    assert.equal(status, 1);
    assert.match(stderr, wanted);
  }
});
