import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseTemplate } from '../../../src/templates/parse-template.js';
import { renderConfig } from '../../../src/templates/render-config.js';
import { renderHostFile } from '../../../src/templates/render-text.js';
import { renderTmpfiles } from '../../../src/templates/render-tmpfiles.js';
import { renderUnit } from '../../../src/templates/render-unit.js';
import type { Values } from '../../../src/templates/values.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const PATH = '/run/host/credentials/S';
const values: Values = new Map([
  ['S', { text: PATH, typed: PATH, source: 'set', secret: true, isUnitSyntax: false }],
]);

each(
  'a secret is refused in',
  [
    {
      name: 'a unit',
      render: () =>
        renderUnit(parseTemplate('service.template', '[Service]\nEnvironment=A=$S\n'), values),
    },
    {
      name: 'a tmpfiles line',
      render: () =>
        renderTmpfiles(parseTemplate('tmpfiles.template', 'f /run/x - - - - $S\n'), values),
    },
    {
      name: 'a file of the host',
      render: () => renderHostFile(parseTemplate('a.conf', 'p=$S\n'), values),
    },
    {
      name: 'JSON outside of a string',
      render: () => renderConfig(parseTemplate('config.json.template', '{"a": $S}'), values),
    },
  ],
  async ({ render }) => {
    const error = await assertFails('TEMPLATE_INVALID', render);
    assert.match(String(error.hint), /\$CREDENTIALS_DIRECTORY\/S/);
  },
);

test('in a string of config.json a secret stands for the path at which the container finds it', () => {
  for (const [name, text] of [
    ['config.json.template', '{"env": ["PASSWORD_FILE=$S"]}'],
    ['config.json.hbs', '{"env": ["PASSWORD_FILE={{S}}"]}'],
  ] as const) {
    const { value } = renderConfig(parseTemplate(name, text), values);
    assert.deepEqual(value['env'], [`PASSWORD_FILE=${PATH}`]);
  }
});
