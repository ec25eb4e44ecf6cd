import assert from 'node:assert/strict';

import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { findObjectThread } from '../../src/store/embedded/object-thread.js';
import { imageStoreContract } from './image-store.js';

/** As much as starts the thread, which then makes a part of every checkout. */
const LARGE = 1e9;

assert.ok(findObjectThread(LARGE) !== undefined, 'there is one processor only');
imageStoreContract({ name: 'embedded, linking aside', open: openEmbeddedStore, keepsTimes: true });
