import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { assertRefusal, digestOf, types, type DistributionRule, type RegistryBed } from './rule.js';

const remove = { method: 'DELETE' };

/** distribution-spec v1.1, "Content Management". */
export const managementRules: readonly DistributionRule[] = [
  {
    name: 'a tag is removed, and its image stays',
    check: async (bed: RegistryBed): Promise<void> => {
      const { digest, bytes } = await bed.pushManifest(await bed.makeImage(), 'tag');
      assert.equal((await bed.ask('/manifests/tag', remove)).status, 202);
      assertRefusal(await bed.ask('/manifests/tag'), [404]);
      await bed.assertThere(`/manifests/${digest}`, { bytes, accept: types.manifest });
    },
  },
  {
    name: 'a registry that removes no tags says so',
    check: async (bed: RegistryBed): Promise<void> => {
      await bed.pushManifest(await bed.makeImage(), 'tag');
      assertRefusal(await bed.ask('/manifests/tag', remove), [202, 400, 405]);
    },
  },
  {
    name: 'a manifest is removed, and its tags with it',
    check: async (bed: RegistryBed): Promise<void> => {
      const { digest } = await bed.pushManifest(await bed.makeImage(), 'tag');
      assert.equal((await bed.ask(`/manifests/${digest}`, remove)).status, 202);
      assertRefusal(await bed.ask(`/manifests/${digest}`), [404]);
      assertRefusal(await bed.ask('/manifests/tag'), [404]);
    },
  },
  {
    name: 'a blob is removed',
    check: async (bed: RegistryBed): Promise<void> => {
      const { digest } = await bed.pushBlob(randomBytes(64));
      assert.equal((await bed.ask(`/blobs/${digest}`, remove)).status, 202);
      assertRefusal(await bed.ask(`/blobs/${digest}`), [404]);
    },
  },
  {
    name: 'what is not there cannot be removed',
    check: async (bed: RegistryBed): Promise<void> => {
      await bed.pushManifest(await bed.makeImage(), 'tag');
      const unknown = digestOf(Buffer.from('unknown'));
      assertRefusal(await bed.ask(`/manifests/${unknown}`, remove), [404]);
      assertRefusal(await bed.ask(`/blobs/${unknown}`, remove), [404]);
    },
  },
];
