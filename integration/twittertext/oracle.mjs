// Reads a JSON array of texts and prints, for each, what X's own library makes of
// it. oracle_test.go compares that with pkg/rewrite.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const twitter = createRequire(import.meta.url)("twitter-text");

function look(text) {
  const entities = twitter.extractEntitiesWithIndices(text);
  let rest = "";
  let at = 0;
  for (const { indices } of twitter.extractUrlsWithIndices(text)) {
    rest += text.slice(at, indices[0]);
    at = indices[1];
  }
  return {
    weight: twitter.parseTweet(text).weightedLength,
    links: twitter.extractUrls(text) ?? [],
    rest: rest + text.slice(at),
    // In a link, as in https://medium.com/@name, nobody is mentioned.
    mentions: entities.filter((e) => e.screenName !== undefined).map((e) => e.screenName),
    cashtags: twitter.extractCashtags(text),
    hashtags: twitter.extractHashtags(text),
  };
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(look)));
