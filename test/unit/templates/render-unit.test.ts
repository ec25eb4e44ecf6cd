import assert from 'node:assert/strict';

import { parseTemplate } from '../../../src/templates/parse-template.js';
import { renderUnit } from '../../../src/templates/render-unit.js';
import { each } from '../../support/each.js';
import { valuesOf } from '../../support/template-values.js';

each(
  'renderUnit() keeps a value inside its directive',
  [
    {
      name: 'several units in a list',
      text: '[Unit]\nAfter=$V\n',
      value: 'a.service b.service',
      want: 'After=a.service b.service',
    },
    {
      name: 'words of a description',
      text: '[Unit]\nDescription=$V!\n',
      value: 'a  "b" #c',
      want: 'Description=a  "b" #c!',
    },
    {
      name: 'a percent sign',
      text: '[Unit]\nDescription=$V\n',
      value: '50% %n',
      want: 'Description=50%% %%n',
    },
    { name: 'a percentage', text: '[Service]\nCPUQuota=$V\n', value: '50%', want: 'CPUQuota=50%' },
    {
      name: 'a path',
      text: '[Service]\nWorkingDirectory=${V}/x\n',
      value: '/a b',
      want: 'WorkingDirectory=/a b/x',
    },
    {
      name: 'an argument',
      text: '[Service]\nExecStart=/x $V\n',
      value: 'a b',
      want: String.raw`ExecStart=/x a\x20b`,
    },
    {
      name: 'an argument in quotes',
      text: "[Service]\nExecStart=/x '$V'\n",
      value: "a'b",
      want: String.raw`ExecStart=/x 'a\'b'`,
    },
    {
      name: 'dollar and percent of an argument',
      text: '[Service]\nExecStart=/x $V\n',
      value: '$HOME%n',
      want: 'ExecStart=/x $$HOME%%n',
    },
    {
      name: 'a dollar after the prefix that keeps dollars',
      text: '[Service]\nExecStart=:/x $V\n',
      value: '$HOME',
      want: 'ExecStart=:/x $HOME',
    },
    {
      name: 'a semicolon',
      text: '[Service]\nExecStart=/x $V\n',
      value: ';',
      want: String.raw`ExecStart=/x \x3b`,
    },
    {
      name: 'a part of the command',
      text: '[Service]\nExecStartPre=/bin/sh $V/set.sh\n',
      value: '/d',
      want: 'ExecStartPre=/bin/sh /d/set.sh',
    },
    {
      name: 'the value of an environment variable',
      text: '[Service]\nEnvironment=A=$V\n',
      value: '-a -b',
      want: String.raw`Environment=A=-a\x20-b`,
    },
    {
      name: 'the same in quotes',
      text: '[Service]\nEnvironment="A=$V"\n',
      value: 'a "b" \\',
      want: String.raw`Environment="A=a\x20\"b\"\x20\\"`,
    },
    {
      name: 'a dollar in the environment',
      text: '[Service]\nEnvironment=A=$V\n',
      value: '$X',
      want: 'Environment=A=$X',
    },
    { name: 'an empty value', text: '[Service]\nExecStop=$V\n', value: '', want: 'ExecStop=' },
    {
      name: 'an empty value on a line of its own',
      text: '[Service]\nType=exec\n$V\n',
      value: '',
      want: 'Type=exec\n',
    },
    {
      name: 'a value in a comment',
      text: '# $V\n[Unit]\nX-A=1\n',
      value: '[Service] \\',
      want: '# [Service] \\',
    },
    {
      name: 'a continued line',
      text: '[Service]\nExecStart=/x \\\n  $V \\\n  c\n',
      value: 'a b',
      want: 'ExecStart=/x \\\n  a\\x20b \\\n  c',
    },
  ],
  ({ text, value, want }) => {
    const unit = renderUnit(parseTemplate('service.template', text), valuesOf({ V: value }));
    assert.ok(unit.includes(`${want}\n`), unit);
  },
);

each(
  'renderUnit() with Handlebars',
  [
    {
      name: 'escapes by place too',
      text: '[Service]\nExecStart=/x {{V}}\n',
      value: 'a $b',
      want: String.raw`ExecStart=/x a\x20$$b`,
    },
    {
      name: 'quotes a word',
      text: '[Service]\nExecStart=/x {{unitQuote V}}\n',
      value: 'a "b"',
      want: String.raw`ExecStart=/x "a\x20\"b\""`,
    },
    {
      name: 'quotes an empty word',
      text: '[Service]\nExecStart=/x {{unitQuote V}}\n',
      value: '',
      want: 'ExecStart=/x ""',
    },
    {
      name: 'each',
      text: '[Service]\nExecStart=/x{{#each V}} {{unitQuote this}}{{/each}}\n',
      value: ['a b', 'c'],
      want: String.raw`ExecStart=/x "a\x20b" "c"`,
    },
    {
      name: 'if and else',
      text: '[Service]\n{{#if V}}\nA=1\n{{else}}\nA=2\n{{/if}}\n',
      value: false,
      want: 'A=2',
    },
    {
      name: 'eq',
      text: '[Service]\n{{#if (eq V "x")}}\nA=1\n{{/if}}\nB=2\n',
      value: 'x',
      want: 'A=1\nB=2',
    },
  ],
  ({ text, value, want }) => {
    const unit = renderUnit(parseTemplate('service.hbs', text), valuesOf({ V: value }));
    assert.ok(unit.includes(`${want}\n`), unit);
  },
);
