// write-json-page.mjs: makes the lists of packaging/man/berth-json.7.md anew, from the types that what commands print is held to.
import { readFileSync, writeFileSync } from 'node:fs';

import { describeJson } from '../dist/test/support/describe-json.js';
import { JSON_PAGE, renewJsonPage } from '../dist/test/support/json-page.js';

writeFileSync(JSON_PAGE, renewJsonPage(readFileSync(JSON_PAGE, 'utf8'), describeJson()));
