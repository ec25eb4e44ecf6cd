import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { imageStoreContract } from './image-store.js';

imageStoreContract({ name: 'embedded', open: openEmbeddedStore, keepsTimes: true });
