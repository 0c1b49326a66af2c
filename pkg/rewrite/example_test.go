package rewrite_test

import (
	"fmt"
	"regexp"

	"example.com/superbots/pkg/rewrite"
)

func ExampleWords_Rewrite() {
	superman := rewrite.Words{Find: regexp.MustCompile(`(?i)serverless`), Replace: "Superman"}
	for _, text := range []string{
		"SERVERLESS &gt; servers, says @serverlessinc: https://t.co/Fo0bAr",
		"Read this: https://serverless.com/blog",
	} {
		out, skip := superman.Rewrite(text, rewrite.Drop)
		fmt.Printf("%q %q\n", out, skip)
	}
	// Output:
	// "SUPERMAN > servers, says serverlessinc" ""
	// "" "no-word"
}

func ExampleWeight() {
	fmt.Println(rewrite.Weight("Superman"))
	fmt.Println(rewrite.Weight("スーパーマン"))
	fmt.Println(rewrite.Weight("👩‍👩‍👧‍👦"))
	fmt.Println(rewrite.Weight("example.com/a/very/long/path"))
	// Output:
	// 8
	// 12
	// 2
	// 23
}
