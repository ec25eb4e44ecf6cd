import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync, readFileSync } from 'node:fs';

import type { NodeMeta } from '../../../src/layer/tree.js';
import { OBJECT_FOLDERS, objectName } from '../../../src/store/embedded/object-name.js';
import { embeddedNaming } from '../../../src/store/embedded/object-naming.js';
import { ObjectWriter } from '../../../src/store/object-writer.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;
const meta: NodeMeta = {
  ...{ mode: 0o644, uid: 0, gid: 0 },
  ...{ mtimeSeconds: 7, mtimeNanoseconds: 0, xattrs: [] },
};

each(
  'what is lent may be written to as soon as it is no longer borrowed',
  [
    { name: 'a file in one piece', sizes: [900_000], pieceBytes: 900_000 },
    {
      name: 'many in one piece',
      sizes: Array.from({ length: 9 }, () => 100_000),
      pieceBytes: 100_000,
    },
    { name: 'a file in many pieces', sizes: [5_000_000], pieceBytes: 512 * 1024 },
  ],
  async ({ sizes, pieceBytes }) => {
    using folder = new TempDir();
    mkdirSync(`${folder.path}/temp`);
    for (const name of OBJECT_FOLDERS)
      mkdirSync(`${folder.path}/objects/${name}`, { recursive: true });
    const objectsFd = openSync(`${folder.path}/objects`, DIRECTORY);
    const tempFd = openSync(`${folder.path}/temp`, DIRECTORY);
    const naming = embeddedNaming(objectsFd);
    const writer = new ObjectWriter({
      naming,
      objectsFd,
      tempFd,
      tempPath: `${folder.path}/temp`,
      replace: new Set(),
    });
    const uses: (Promise<void> | undefined)[] = [];
    const contents = sizes.map((size) => randomBytes(size));
    for (const content of contents) {
      writer.begin({ path: 'file', meta, size: content.length });
      for (let at = 0; at < content.length; at += pieceBytes) {
        const piece = Buffer.from(content.subarray(at, at + pieceBytes));
        writer.write(piece, true);
        if (at + pieceBytes >= content.length) writer.end();
        // Not waited for before more comes, as it is in a pull.
        uses.push(writer.borrowed()?.then(() => void piece.fill(0)));
      }
    }
    assert.ok(
      uses.every((use) => use !== undefined),
      'nothing was taken aside',
    );
    await writer.drain();
    await Promise.all(uses);
    assert.equal(writer.borrowed(), undefined);
    writer.publish();
    for (const content of contents) {
      const contentSha256 = createHash('sha256').update(content).digest('hex');
      const path = `${folder.path}/objects/${objectName({ contentSha256, meta })}`;
      assert.ok(readFileSync(path).equals(content), 'something else was written');
    }
    await writer.close();
    closeSync(objectsFd);
    closeSync(tempFd);
  },
);
