// Prints pkg/rewrite/tables.go: what X's own text library knows as data, namely
// its top-level domains, its emoji and the characters its links are made of.
//
//	node integration/twittertext/generate.mjs > pkg/rewrite/tables.go
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { regexen } = require("twitter-text");
const emoji = require("twemoji-parser/dist/lib/regex.js").default;
const version = (name) => `${name}@${require(`${name}/package.json`).version}`;

function check(ok, message) {
  if (!ok) throw new Error(message);
}

// Every string that a regular expression of literals, classes, groups and "?" matches.
function language(source) {
  let at = 0;
  const char = () => {
    if (source[at] !== "\\") return source[at++];
    check(source[at + 1] === "u", `escape at ${at}`);
    at += 6;
    return String.fromCharCode(parseInt(source.slice(at - 4, at), 16));
  };
  const charClass = () => {
    const members = [];
    while (source[at] !== "]") {
      const first = char();
      let last = first;
      if (source[at] === "-") {
        at++;
        last = char();
      }
      for (let c = first.charCodeAt(0); c <= last.charCodeAt(0); c++) members.push(String.fromCharCode(c));
    }
    at++;
    return members;
  };
  const alternatives = () => {
    const all = [];
    let words = [""];
    while (at < source.length && source[at] !== ")") {
      if (source[at] === "|") {
        at++;
        all.push(...words);
        words = [""];
        continue;
      }
      let next;
      if (source[at] === "(") {
        at += source.startsWith("(?:", at) ? 3 : 1;
        next = alternatives();
        at++;
      } else if (source[at] === "[") {
        at++;
        next = charClass();
      } else {
        next = [char()];
      }
      if (source[at] === "?") {
        at++;
        next = [...next, ""];
      }
      words = words.flatMap((w) => next.map((n) => w + n));
    }
    return [...all, ...words];
  };
  return alternatives();
}

// The expression takes the first alternative that matches, a table the longest
// entry. They agree on every entry that the expression takes whole.
const sequences = language(emoji.source).filter((s) => s.match(emoji)[0] === s);

const domains = [regexen.validGTLD, regexen.validCCTLD].flatMap((r) =>
  r.source.match(/^\(\?:\(\?:(.*)\)\(\?=/)[1].split("|").map((d) => d.toLowerCase()),
);
for (const domain of domains) {
  const found = `http://x.${domain}`.match(regexen.extractUrl);
  check(found?.[0] === `http://x.${domain}`, `${domain}: the longest domain is not the one taken`);
}

// Go writes \u{1f3fb} as \U0001f3fb.
const quote = (s) =>
  '"' +
  [...s]
    .map((c) => {
      const n = c.codePointAt(0);
      if (n >= 0x20 && n < 0x7f) return c;
      return n > 0xffff ? `\\U${n.toString(16).padStart(8, "0")}` : `\\u${n.toString(16).padStart(4, "0")}`;
    })
    .join("") +
  '"';

function list(name, comment, strings) {
  const sorted = [...new Set(strings)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const lines = [""];
  for (const s of sorted.map(quote)) {
    if (lines.at(-1).length + s.length > 110) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) && " ") + s + ",";
  }
  console.log(`\n// ${comment}\nvar ${name} = []string{\n${lines.map((l) => `\t${l}\n`).join("")}}`);
}

// What each part of a link is made of. The library matches code units, so a
// class has no member beyond the Basic Multilingual Plane, save a label's, which
// has them all.
const part = (name) => require(`twitter-text/dist/regexp/${name}.js`).source;
const single = {
  inLabel: part("validDomainChars"),
  inHost: `[-a-z0-9${part("latinAccentChars")}]`,
  inPath: part("validGeneralUrlPathChars"),
  endsPath: part("validUrlPathEndingChars"),
  inQuery: part("validUrlQueryChars"),
  endsQuery: part("validUrlQueryEndingChars"),
};
const classes = Object.entries(single).map(([name, source]) => [name, new RegExp(`^(?:${source})$`, "i")]);
const has = (expression, c) => expression.test(String.fromCharCode(c));
const hex = (n, width) => `0x${n.toString(16).padStart(width, "0")}`;

function ascii() {
  console.log("\nconst (");
  classes.forEach(([name], i) => console.log(`\t${name}${i ? "" : " = 1 << iota"}`));
  console.log(")\n\n// ascii says which parts of a link a character can stand in.\nvar ascii = [128]uint8{");
  for (let row = 0; row < 128; row += 16) {
    const cells = [];
    for (let c = row; c < row + 16; c++) {
      cells.push(hex(classes.reduce((bits, [, e], i) => bits | (has(e, c) << i), 0), 2));
    }
    console.log(`\t${cells.join(", ")},`);
  }
  console.log("}");
}

// Left out: surrogates, and U+A7DC, which only a Node with Unicode 16 takes for
// the capital of U+019B; every Node is to print the same tables.
const leftOut = (c) => (c >= 0xd800 && c <= 0xdfff) || c === 0xa7dc;

function ranges(name, comment, wanted) {
  const found = [];
  for (let c = 0x80; c <= 0xffff; c++) {
    if (leftOut(c) || !wanted(c)) continue;
    if (found.length && found.at(-1)[1] === c - 1) found.at(-1)[1] = c;
    else found.push([c, c]);
  }
  console.log(`\n// ${comment}\nvar ${name} = &unicode.RangeTable{\n\tR16: []unicode.Range16{`);
  for (const [lo, hi] of found) console.log(`\t\t{${hex(lo, 4)}, ${hex(hi, 4)}, 1},`);
  console.log(`\t},\n\tLatinOffset: ${found.filter(([, hi]) => hi <= 0xff).length},\n}`);
}

console.log(`// Code generated by integration/twittertext/generate.mjs from ${version("twitter-text")} and ${version("twemoji-parser")}. DO NOT EDIT.

package rewrite

import "unicode"`);
const of = Object.fromEntries(classes);
ascii();
ranges("notLabel", "notLabel holds what ends the label of a domain, beyond ASCII.", (c) => !has(of.inLabel, c));
ranges("hostLetters", "hostLetters holds what X links in a domain without a protocol, beyond ASCII.", (c) => has(of.inHost, c));
ranges("pathLetters", "pathLetters holds what stands in a path, beyond ASCII.", (c) => has(of.inPath, c));
ranges("pathEndLetters", "pathEndLetters holds what a path can end with, beyond ASCII.", (c) => has(of.endsPath, c));
console.log(`\n// longestTopLevel is the length in characters of the longest entry of topLevel.
const longestTopLevel = ${Math.max(...domains.map((d) => d.length))}`);
list("topLevel", "topLevel holds the top-level domains, sorted, in lower case.", domains);
console.log(`\n// longestEmoji is the length in bytes of the longest entry of emoji.
const longestEmoji = ${Math.max(...sequences.map((s) => Buffer.byteLength(s)))}`);
list("emoji", "emoji holds every sequence that counts as one emoji, sorted.", sequences);
for (let c = 0x80; c <= 0xffff; c++) check(!has(of.inQuery, c), "a query is no longer plain ASCII");
