import assert from 'node:assert/strict';
import { test } from 'node:test';

import { change, defaultDocument, RuntimeBed } from '../conformance/runtime-bed.js';

test('C28 a container that asks for the control group of another one, or for one above it, kills nobody', () => {
  using first = new RuntimeBed();
  using second = new RuntimeBed();
  const document = change(defaultDocument(['sleep', '1000']), {
    linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
  });
  first.configure(document);
  first.must(first.create());
  first.must(first.call('start', first.id));
  for (const cgroupsPath of [`/berth/${first.id}`, '/berth']) {
    second.configure(
      change(document, { linux: { ...(document['linux'] as object), cgroupsPath } }),
    );
    const refused = second.create();
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /has processes already/);
    assert.equal(first.state()?.status, 'running', 'ANOTHER CONTAINER WAS KILLED');
  }
});
