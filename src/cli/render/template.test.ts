import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCryopodError } from '../../model/errors.ts';
import { renderList, renderOne } from './template.ts';

const data = {
  ID: 'abcdef123456',
  Names: ['web', 'www'],
  Image: 'docker.io/library/redis:latest',
  Pid: 42,
  Ratio: 0.5,
  Running: true,
  Nothing: null,
  Empty: [],
  State: { Status: 'running', Health: null },
  Labels: { b: '2', a: '1' },
  Matrix: [
    [1, 2],
    [3, 4],
  ],
  Ports: { '80/tcp': [{ HostIp: '', HostPort: '8080' }], '81/tcp': null },
  Label: (name: string) => `label ${name}`,
  CreatedAt: () => 'now',
};

const one = (format: string, value: unknown = data): string =>
  renderOne(format, value, { name: 'inspect', typeName: 'define.Data' }).replace(/\n$/, '');

const fails = (format: string, message: string | RegExp): void => {
  assert.throws(
    () => one(format),
    (error) => {
      assert.ok(isCryopodError(error, 'USAGE'), String(error));
      if (typeof message === 'string') assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    },
    format,
  );
};

const cases: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'fields and methods': [
    ['{{.ID}}', 'abcdef123456'],
    ['{{ .State.Status }}:{{.Running}}', 'running:true'],
    ['{{.CreatedAt}} {{.Label "x"}}', 'now label x'],
    ['{{$.Pid}} {{$x := .State}}{{$x.Status}}', '42 running'],
    ['{{(index .Names 1)}} {{(index (index .Ports "80/tcp") 0).HostPort}}', 'www 8080'],
    ['{{.Labels.a}} {{.Labels.zzz}} {{.Labels.zzz.deeper}}', '1 <no value> <no value>'],
  ],
  'values print as Go prints them': [
    ['{{.Names}} {{.Empty}} {{.Nothing}} {{.Matrix}}', '[web www] [] <nil> [[1 2] [3 4]]'],
    ['{{.Labels}} {{.State}}', 'map[a:1 b:2] {running <nil>}'],
    ['{{.Pid}} {{.Ratio}} {{1e21}} {{0.00001}}', '42 0.5 1e+21 1e-05'],
    [
      '{{true}} {{1.5}} {{`raw\\n`}} {{"a\\tb\\u00e9"}} {{\'a\'}} {{0x10}} {{-3}}',
      'true 1.5 raw\\n a\tbé 97 16 -3',
    ],
  ],
  'JSON in any position': [
    ['{{json .Labels}}', '{"a":"1","b":"2"}'],
    ['{{.Names | json}}', '["web","www"]'],
    ['{{json .Nothing}} {{json .Image}}', 'null "docker.io/library/redis:latest"'],
  ],
  conditions: [
    ['{{if .Running}}yes{{else}}no{{end}}', 'yes'],
    ['{{if .Empty}}yes{{else if eq .Pid 42}}pid{{else}}no{{end}}', 'pid'],
    ['{{if not .Running}}a{{else if .Nothing}}b{{else}}c{{end}}', 'c'],
    ['{{with .State}}{{.Status}}{{$.Pid}}{{end}}{{with .Nothing}}x{{else}}none{{end}}', 'running42none'],
    ['{{if and .Running (gt .Pid 40) (le .Ratio 0.5)}}in{{end}}', 'in'],
    ['{{and true 0}} {{or "" "b"}} {{or .Nothing .ID}} {{not 0}}', '0 b abcdef123456 true'],
    ['{{eq .ID "x" "abcdef123456"}} {{ne 1 2}} {{lt "a" "b"}} {{ge 2 2}}', 'true true true true'],
    ['{{or .Running .Nothing.Deeper}}', 'true'],
  ],
  ranges: [
    ['{{range .Names}}<{{.}}>{{end}}', '<web><www>'],
    ['{{range $i, $e := .Names}}{{$i}}={{$e}};{{end}}', '0=web;1=www;'],
    ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a=1;b=2;'],
    ['{{range .Empty}}x{{else}}none{{end}}', 'none'],
    ['{{range $p, $b := .Ports}}{{$p}}{{range $b}}→{{.HostPort}}{{end}} {{end}}', '80/tcp→8080 81/tcp '],
    ['{{range .Names}}{{if eq . "web"}}{{continue}}{{end}}{{.}}{{end}}', 'www'],
    ['{{range .Names}}{{.}}{{break}}{{end}}', 'web'],
    ['{{$n := 0}}{{range .Names}}{{$n = .}}{{end}}{{$n}}', 'www'],
    ['{{range $e := .Names}}{{$e}} {{end}}', 'web www '],
  ],
  functions: [
    ['{{join .Names ","}} {{len .Names}} {{len .ID}} {{len .Labels}}', 'web,www 2 12 2'],
    ['{{index (split .Image ":") 1}} {{slice .ID 0 3}} {{slice .Names 1}}', 'latest abc [www]'],
    [
      '{{upper "a"}}{{lower "B"}}{{title "one two"}} {{pad "x" 1 2}}| {{truncate .ID 4}}',
      'AbOne Two  x  | abcd',
    ],
    ['{{index .Labels "a"}}[{{index .Labels "none"}}]', '1[]'],
    ['{{"a" | printf "%s-%s" "b"}} {{.Pid | printf "%05d"}}', 'b-a 00042'],
    ['{{println "a" 1}}', 'a 1\n'],
    ['{{print "a" 1 2 "b"}}', 'a1 2b'],
  ],
  printf: [
    ['{{printf "%-10s|%5d|%q|%v" "ab" 7 "x" .Names}}', 'ab        |    7|"x"|[web www]'],
    ['{{printf "%.2f %x %X %08b %t %%" 1.005 255 "hi" 5 true}}', '1.00 ff 6869 00000101 true %'],
    ['{{printf "%.3s %*d %+d" "abcdef" 4 7 5}}', 'abc    7 +5'],
    ['{{printf "%d" "a"}} {{printf "%s"}} {{printf "x" 1}}', '%!d(string=a) %!s(MISSING) x%!(EXTRA int=1)'],
    ['{{printf "%s %s" 5 .Nothing}} {{printf "%q" .Names}}', '%!s(int=5) %!s(<nil>) ["web" "www"]'],
    ['{{printf "%c%q" 65 66}} {{123456789.5}} {{title "it\'s"}}', "A'B' 1.234567895e+08 It'S"],
    ['{{printf "%d items\\n" 2}}', '2 items\n'],
  ],
  'comments and trim marks': [
    ['a {{- /* no */ -}} b', 'ab'],
    ['a {{- .Pid -}} b', 'a42b'],
    ['{{/* {{ }} */}}x', 'x'],
    ['{{if true -}}  y  {{- end}}', 'y'],
  ],
  'escapes outside of actions': [
    ['{{.ID}}\\t{{.Pid}}\\nz', 'abcdef123456\t42\nz'],
    ['{{"\\\\t"}}', '\\t'],
  ],
};

for (const [name, rows] of Object.entries(cases)) {
  test(`templates: ${name}`, () => {
    for (const [format, expected] of rows) assert.equal(one(format), expected, format);
  });
}

test('a missing field of a struct is refused with its place', () => {
  fails(
    '{{.Foo}}',
    'template: inspect:1:2: executing "inspect" at <.Foo>: can\'t evaluate field Foo in type define.Data',
  );
  fails(
    'a\n{{ .State.Foo }}',
    /^template: inspect:2:9: executing "inspect" at <\.State\.Foo>: .* field Foo in type struct$/,
  );
  fails('{{.Nothing.X}}', /nil pointer evaluating interface \{\}\.X/);
});

test('wrong templates are refused before they run', () => {
  fails('{{.ID', 'template: inspect:1: unclosed action');
  fails('{{foo .ID}}', 'template: inspect:1: function "foo" not defined');
  fails('{{if .ID}}', /unexpected EOF/);
  fails('{{end}}', /unexpected \{\{end\}\}/);
  fails('{{else}}', /unexpected \{\{else\}\}/);
  fails('{{$x}}', /undefined variable "\$x"/);
  fails('{{}}', /missing value for command/);
  fails('{{.ID | }}', /missing value for command/);
  fails('{{"abc}}', /unterminated quoted string/);
  fails('{{if .ID}}a\n', 'template: inspect:1: unexpected EOF');
  fails('{{nil}}', /nil is not a command/);
  fails('{{(.ID}}', /unclosed left paren/);
  fails('{{break}}', /\{\{break\}\} outside \{\{range\}\}/);
  fails('{{define "x"}}{{end}}', /\{\{define\}\} is not supported/);
  fails('{{.ID | "x"}}', /non executable command in pipeline stage 2/);
  fails('{{if true}}{{else}}{{else}}{{end}}', /expected end; found \{\{else\}\}/);
});

test('functions refuse wrong arguments with their name', () => {
  fails('{{index .Names 9}}', /at <index \.Names 9>: error calling index: index out of range: 9$/);
  fails('{{len 3}}', /error calling len: len of type int/);
  fails('{{eq 1 "a"}}', /error calling eq: incompatible types for comparison/);
  fails('{{join "," .Names}}', /error calling join: wrong type for value/);
  fails(
    '{{json}}{{.ID}}',
    /:1:2: executing "inspect" at <json>: wrong number of args for json: want 1 got 0$/,
  );
  fails('{{range .Pid}}{{end}}', /range can't iterate over 42/);
  fails('{{.ID "x"}}', /the field has arguments but cannot be invoked/);
});

const items = [
  { ID: 'a', Names: 'long-name-of-one', CreatedAt: 'now' },
  { ID: 'b', Names: 'x', CreatedAt: 'then' },
];
const list = (format: string, noheading = false): string =>
  renderList(format, items, { name: 'ps', headings: { ID: 'CONTAINER ID' }, noheading });

test('a list prints its template once an item', () => {
  assert.equal(list('{{.ID}}'), 'a\nb\n');
  assert.equal(list('{{.ID}}\\t{{.Names}}'), 'a\tlong-name-of-one\nb\tx\n');
  assert.equal(list('{{json .}}').split('\n').length, 3);
  assert.equal(list('{{range .}}{{.ID}},{{end}}'), 'a,b,\n');
  assert.equal(renderList('{{.ID}}', [], { name: 'ps' }), '');
});

test('json alone prints the list as an indented array', () => {
  assert.equal(list('json'), `${JSON.stringify(items, null, 2)}\n`);
  assert.equal(list('{{ json }}'), list('json'));
  assert.equal(renderList('json', [], { name: 'ps' }), '[]\n');
});

test('table prints headings from field names and aligns columns', () => {
  assert.equal(
    list('table {{.ID}}\\t{{.Names}} {{.CreatedAt}}'),
    'CONTAINER ID  NAMES             CREATED AT\na             long-name-of-one  now\nb             x                 then\n',
  );
  assert.equal(list('table {{.ID}}\t{{.Names}}', true), 'a           long-name-of-one\nb           x\n');
  assert.equal(
    list('table {{.ID | upper}}\\t{{printf "%.3s" .Names}}').split('\n')[0],
    'CONTAINER ID  NAMES',
  );
  assert.equal(
    list('table {{if eq .ID "a"}}{{.ID}}{{end}}\\t{{.Names}}').split('\n')[1],
    'a             long-name-of-one',
  );
});

test('any template either renders or is refused as a usage error', () => {
  const words = [
    '{{',
    '}}',
    '{{-',
    '-}}',
    ' ',
    '.',
    '.ID',
    '.Names',
    '$',
    '$x',
    ':=',
    '=',
    '|',
    '(',
    ')',
    ',',
    '"a"',
    '`',
    "'a'",
    '1',
    'range',
    'if',
    'else',
    'end',
    'with',
    'break',
    'index',
    'printf',
    '"%*d"',
    'slice',
    'json',
    'table ',
    '/*',
    '*/',
  ];
  const text = fc.oneof(
    fc.array(fc.constantFrom(...words), { maxLength: 25 }).map((parts) => parts.join('')),
    fc.string(),
  );
  fc.assert(
    fc.property(text, (format) => {
      try {
        assert.equal(typeof renderList(format, [data], { name: 'x' }), 'string');
      } catch (error) {
        assert.ok(isCryopodError(error, 'USAGE'), `${format}: ${error instanceof Error ? error.stack : ''}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test('deep nesting is refused, not a stack overflow', () => {
  fails(`{{${'('.repeat(50_000)}1${')'.repeat(50_000)}}}`, /too deeply nested/);
  fails('{{if true}}'.repeat(50_000), /too deeply nested/);
  assert.match(one('{{printf "%99999999d" 1}}'), /BADWIDTH/);
});
