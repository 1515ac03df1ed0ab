import { parseError, type Source } from './source.ts';

export type TokenKind = 'string' | 'number' | 'field' | 'variable' | 'word' | 'char' | 'mark';

export interface Token {
  readonly kind: TokenKind;
  /** Decoded text of strings and characters, names without `.`; otherwise as written. */
  readonly text: string;
  readonly pos: number;
  readonly end: number;
  /** White space stands before it: `.A .B` are two operands, `.A.B` is one. */
  readonly spaced: boolean;
}

/** A piece of a template: text to copy, or the tokens between `{{` and `}}`. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'action';
      readonly tokens: readonly Token[];
      readonly pos: number;
      readonly end: number;
    };

const TOKENS: readonly (readonly [TokenKind, RegExp])[] = [
  ['string', /"(?:[^"\\\n]|\\.)*"/y],
  ['string', /`[^`]*`/y],
  ['char', /'(?:[^'\\\n]|\\.[0-7a-fA-F]*)'/y],
  [
    'number',
    /[+-]?(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+)/y,
  ],
  ['field', /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ['variable', /\$[\p{L}\p{Nd}_]*/uy],
  ['word', /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ['mark', /:=|[=|(),.]/y],
];

const SPACE = /[ \t\r\n]+/y;
const COMMENT = /\/\*[\s\S]*?\*\//y;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
};

/** The text of a Go string or character literal. */
function decode(source: Source, literal: string, pos: number): string {
  const body = literal.slice(1, -1);
  if (literal.startsWith('`')) return body;
  return body.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gs,
    (_, x?: string, u?: string, U?: string, octal?: string, other = '') => {
      const hex = x ?? u ?? U;
      const code =
        hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : -1;
      if (code > 0x10ffff) return parseError(source, pos, `bad string literal: ${literal}`);
      if (code >= 0) return String.fromCodePoint(code);
      return (
        ESCAPES[other] ??
        (/[\\"']/.test(other) ? other : parseError(source, pos, `bad string literal: ${literal}`))
      );
    },
  );
}

function matchAt(pattern: RegExp, text: string, pos: number): string | undefined {
  pattern.lastIndex = pos;
  return pattern.exec(text)?.[0];
}

function tokenAt(source: Source, pos: number, spaced: boolean): Token {
  for (const [kind, pattern] of TOKENS) {
    const found = matchAt(pattern, source.text, pos);
    if (found === undefined) continue;
    const text =
      kind === 'string' || kind === 'char'
        ? decode(source, found, pos)
        : kind === 'field'
          ? found.slice(1)
          : found;
    return { kind, text, pos, end: pos + found.length, spaced };
  }
  const char = String.fromCodePoint(source.text.codePointAt(pos) ?? 0);
  if (char === '"') return parseError(source, pos, 'unterminated quoted string');
  if (char === '`') return parseError(source, pos, 'unterminated raw quoted string');
  return parseError(source, pos, `unexpected ${JSON.stringify(char)} in command`);
}

interface ActionText {
  readonly tokens: Token[];
  readonly end: number;
  readonly trimRight: boolean;
}

/** Tokens from behind `{{` up to `}}`; a comment is an action without tokens. */
function readAction(source: Source, start: number): ActionText {
  const { text } = source;
  const tokens: Token[] = [];
  let pos = start;
  for (;;) {
    const space = matchAt(SPACE, text, pos) ?? '';
    pos += space.length;
    if (space !== '' && text.startsWith('-}}', pos)) return { tokens, end: pos + 3, trimRight: true };
    if (text.startsWith('}}', pos)) return { tokens, end: pos + 2, trimRight: false };
    if (pos >= text.length) return parseError(source, start, 'unclosed action');
    const comment = matchAt(COMMENT, text, pos);
    if (comment !== undefined && tokens.length === 0) {
      pos += comment.length;
      continue;
    }
    const token = tokenAt(source, pos, space !== '');
    tokens.push(token);
    pos = token.end;
  }
}

/** Splits a template into text and actions, with the white space that `{{-` and `-}}` remove removed. */
export function lex(source: Source): Piece[] {
  const { text } = source;
  const pieces: Piece[] = [];
  let pos = 0;
  let trim = false;
  const pushText = (end: number, trimEnd: boolean): void => {
    const raw = text.slice(pos, end);
    const kept = trim ? raw.replace(/^[ \t\r\n]+/, '') : raw;
    const final = trimEnd ? kept.replace(/[ \t\r\n]+$/, '') : kept;
    if (final !== '') pieces.push({ kind: 'text', text: final });
  };
  for (let open = text.indexOf('{{'); open !== -1; open = text.indexOf('{{', pos)) {
    const trimLeft = /^-[ \t\r\n]/.test(text.slice(open + 2, open + 4));
    pushText(open, trimLeft);
    const { tokens, end, trimRight } = readAction(source, open + (trimLeft ? 3 : 2));
    const isComment = tokens.length === 0 && text.slice(open, end).includes('/*');
    if (!isComment) pieces.push({ kind: 'action', tokens, pos: open, end });
    trim = trimRight;
    pos = end;
  }
  pushText(text.length, false);
  return pieces;
}
