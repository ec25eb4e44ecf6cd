import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';

import { FakeRegistry } from '../support/fake-registry.js';
import { startRegistry } from '../support/registry.js';
import { discoveryRules } from './distribution-rules/discover.js';
import { managementRules } from './distribution-rules/manage.js';
import { pullRules } from './distribution-rules/pull.js';
import { pushBlobRules } from './distribution-rules/push-blobs.js';
import { pushManifestRules } from './distribution-rules/push-manifests.js';
import { RegistryBed, type DistributionRule } from './distribution-rules/rule.js';

// The two registries of the tests against the same rules: what holds for both may be relied on.

const rules: readonly DistributionRule[] = [
  ...pullRules,
  ...pushBlobRules,
  ...pushManifestRules,
  ...discoveryRules,
  ...managementRules,
];

/** What a registry does otherwise. */
interface Deviation {
  readonly why: string;
  /** How the rule is seen to be broken: one that is mended has to go from the list. */
  readonly shown: RegExp;
}

const noReferrers = { why: 'it is older than the list of referrers', shown: /404 page not found/ };
const noPages = { why: 'it gives all tags at once, in no order', shown: /strictly deep-equal/ };
const noOrder = { why: 'it does not read Content-Range', shown: /!== 416/ };
const hangsUp = { why: 'it promises the whole blob with its 416, and hangs up', shown: /aborted/ };
const anyTag = { why: 'it takes that for a tag, and its storage fails', shown: /^status 500: / };

/** docker-registry 2.8. */
const DOCKER_REGISTRY_DEVIATES: Readonly<Record<string, Deviation>> = {
  'what is no digest is answered with 400 or 404': anyTag,
  'a manifest under a digest that is none is refused': anyTag,
  'of a blob of 2048 bytes the range 500-0 is refused': hangsUp,
  'of a blob of 2048 bytes the range 5000-10000 is refused': hangsUp,
  'content with a digest of sha512 is given under it': {
    why: 'it compares all digests with sha256',
    shown: /provided digest did not match/,
  },
  'a blob is taken with the request that begins it': {
    why: 'it begins an upload all the same, as a registry may',
    shown: /202 !== 201/,
  },
  'a blob that is not what its digest says is refused with the request that begins it': {
    why: 'it begins an upload all the same, as a registry may',
    shown: /^status 202: /,
  },
  'a part out of order is refused, and the upload goes on from where it was': noOrder,
  'a last part out of order is refused': noOrder,
  'an image with layers that are elsewhere is taken by tag and by digest, and given back': {
    why: 'its configuration would have to allow their hosts',
    shown: /MANIFEST_BLOB_UNKNOWN/,
  },
  'who pushes something with a subject is told that its referrers are listed': {
    why: noReferrers.why,
    shown: /undefined/,
  },
  'tags are listed in order, with the name of the repository': { why: noPages.why, shown: /v1/ },
  'the tags after one of them are listed': noPages,
  'tags come in pages of the size that is asked for': noPages,
  'no tags are listed where none are asked for': noPages,
  'what refers to a manifest is listed, with type and annotations': noReferrers,
  'what refers to a manifest is listed by its type where that is asked for': noReferrers,
  'nothing refers to what is not there, and that is no failure': noReferrers,
  'referrers of what is no digest are a bad request': {
    why: noReferrers.why,
    shown: /404 !== 400/,
  },
  'a tag is removed, and its image stays': {
    why: 'it removes manifests and no tags, as a registry may',
    shown: /400 !== 202/,
  },
};

interface Server {
  readonly name: string;
  readonly start: () => Promise<AsyncDisposable & { readonly origin: string }>;
  readonly deviations: Readonly<Record<string, Deviation>>;
}

const servers: readonly Server[] = [
  { name: 'the fake registry', start: () => FakeRegistry.start(), deviations: {} },
  {
    name: 'docker-registry',
    start: () => startRegistry(),
    deviations: DOCKER_REGISTRY_DEVIATES,
  },
];

for (const { name, start, deviations } of servers) {
  suite(`${name} keeps to distribution-spec:`, () => {
    let registry: Awaited<ReturnType<Server['start']>>;
    before(async () => {
      registry = await start();
    });
    after(() => registry[Symbol.asyncDispose]());
    for (const [index, rule] of rules.entries()) {
      const deviation = deviations[rule.name];
      const title = deviation === undefined ? rule.name : `not that ${rule.name}: ${deviation.why}`;
      test(title, async () => {
        const checking = rule.check(new RegistryBed(registry.origin, `rules/r${index}`));
        if (deviation === undefined) await checking;
        else await assert.rejects(checking, { message: deviation.shown });
      });
    }
  });
}

test('every deviation is one of a rule', () => {
  const names = rules.map((rule) => rule.name);
  assert.equal(new Set(names).size, names.length, 'two rules have one name');
  for (const name of Object.keys(DOCKER_REGISTRY_DEVIATES)) assert.ok(names.includes(name), name);
});
