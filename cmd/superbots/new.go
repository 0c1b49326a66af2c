package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example.com/superbots/integration/local"
)

type newCommand struct {
	Name    string `arg:"" help:"Name of the new bot: lower-case letters and digits."`
	Find    string `required:"" help:"The words that it looks for." placeholder:"WORDS"`
	Replace string `required:"" help:"The word that it says instead." placeholder:"WORD"`
}

// Help follows the flags on -h.
func (newCommand) Help() string {
	return `Example:
  superbots new robin --find "edge computing" --replace Robin

It writes the bot's value into functions/bots.go, its main, its file in
resources/ and its function in serverless.yml. superbots dev then runs it as
well. Nothing is written if any of that cannot be.`
}

// A draft is what becomes of the repository: the new text of each file.
type draft struct {
	root  string
	files map[string]string
}

func (n newCommand) Run(c console) error {
	root, err := local.Root()
	if err != nil {
		return err
	}
	if err := n.check(root); err != nil {
		return err
	}
	d := draft{root, make(map[string]string)}
	for _, step := range []func(*draft) error{n.bots, n.main, n.resources, n.service} {
		if err := step(&d); err != nil {
			return err
		}
	}
	if err := d.write(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s is there. Try it with\n  go run ./cmd/superbots dev\nand, where it is to be deployed, with\n"+
		"  go run ./cmd/superbots authorize %s --stage dev --account NAME\n  make deploy STAGE=dev\n", title(n.Name), n.Name)
	return err
}

func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

var (
	botNamePattern = regexp.MustCompile(`^[a-z][a-z0-9]{0,29}$`)
	findPattern    = regexp.MustCompile(`^[\pL\pN]+( [\pL\pN]+)*$`)
	replacePattern = regexp.MustCompile(`^[\pL\pN]+$`)
)

// taken are names that mean something else where a bot's name stands: in the
// name of a parameter, in functions/bots.go, and in a bot's main.
var taken = []string{"shared", "all", "app", "err", "functions", "lambda", "log", "main", "init", "nil", "os"}

func (n newCommand) check(root string) error {
	switch {
	case !botNamePattern.MatchString(n.Name) || token.IsKeyword(n.Name) || slices.Contains(taken, n.Name):
		return fmt.Errorf("%q cannot be a bot's name: it needs lower-case letters and digits that are no word of Go, and no name used otherwise", n.Name)
	case !findPattern.MatchString(n.Find):
		return fmt.Errorf("--find %q: it must be words of letters and digits with one space between, because X finds nothing else", n.Find)
	case !replacePattern.MatchString(n.Replace):
		return fmt.Errorf("--replace %q: it must be one word of letters and digits", n.Replace)
	case regexp.MustCompile(n.pattern()).MatchString(n.Replace):
		return fmt.Errorf("--replace %q has the words in it that the bot looks for", n.Replace)
	}
	for _, b := range botNames() {
		other, err := find(b)
		if err != nil {
			return err
		}
		mine, theirs := strings.ToLower(n.Replace), strings.ToLower(other.Replace)
		if strings.Contains(mine, theirs) || strings.Contains(theirs, mine) {
			return fmt.Errorf("--replace %q: %s says %q, and two bots must not say the same", n.Replace, b, other.Replace)
		}
	}
	for _, path := range []string{"functions/" + n.Name, "resources/" + n.Name + ".yml"} {
		if _, err := os.Stat(filepath.Join(root, path)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is a %s already", path)
		}
	}
	return nil
}

// pattern finds the words in any letter case, with a space, a hyphen or
// nothing between them.
func (n newCommand) pattern() string { return "(?i)" + strings.ReplaceAll(n.Find, " ", "[ -]?") }

// bots adds the bot to functions/bots.go, and to what its sisters never say.
func (n newCommand) bots(d *draft) error {
	const name = "functions/bots.go"
	text, err := d.read(name)
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, 0)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	inserts := make(map[int]string) // by place in text
	var sisters []string
	for _, decl := range file.Decls {
		vars, ok := decl.(*ast.GenDecl)
		if !ok || vars.Tok != token.VAR {
			continue
		}
		value := vars.Specs[0].(*ast.ValueSpec)
		if value.Names[0].Name == title(n.Name) {
			return fmt.Errorf("%s has a %s already", name, title(n.Name))
		}
		literal, ok := value.Values[0].(*ast.CompositeLit)
		if !ok {
			continue
		}
		if value.Names[0].Name == "All" {
			inserts[files.Position(literal.Rbrace).Offset] = ", " + title(n.Name)
			continue
		}
		for _, e := range literal.Elts {
			field := e.(*ast.KeyValueExpr)
			ast.Inspect(field.Value, func(node ast.Node) bool {
				s, ok := node.(*ast.BasicLit)
				switch {
				case !ok:
				case field.Key.(*ast.Ident).Name == "Never" && strings.HasPrefix(s.Value, "`(?i)"):
					inserts[files.Position(s.End()).Offset-1] = "|" + strings.ToLower(n.Replace)
				case field.Key.(*ast.Ident).Name == "Replace":
					if word, err := strconv.Unquote(s.Value); err == nil {
						sisters = append(sisters, strings.ToLower(word))
					}
				}
				return true
			})
		}
	}
	if len(inserts) != len(sisters)+1 {
		return fmt.Errorf("%s is not laid out as new expects: each bot with a Never of the form `(?i)word|word`, and All", name)
	}
	all := strings.Index(text, "// All has every bot.")
	if all < 0 {
		return fmt.Errorf("%s has no comment %q, before which the new bot belongs", name, "// All has every bot.")
	}
	inserts[all] = fmt.Sprintf("// %[1]s finds %[2]s.\nvar %[1]s = bot.Bot{\n\tName: %[3]q,\n\tFind: regexp.MustCompile(`%[4]s`),\n\tReplace: %[5]q,\n"+
		"\tSearch: `(\"%[2]s\" OR #%[6]s)`,\n\tNever: regexp.MustCompile(`(?i)%[7]s`),\n}\n\n",
		title(n.Name), n.Find, n.Name, n.pattern(), n.Replace, strings.ReplaceAll(n.Find, " ", ""), strings.Join(sisters, "|"))

	var edited bytes.Buffer
	for i := range len(text) {
		edited.WriteString(inserts[i])
		edited.WriteByte(text[i])
	}
	formatted, err := format.Source(edited.Bytes())
	if err != nil {
		return fmt.Errorf("formatting %s: %w", name, err)
	}
	d.files[name] = string(formatted)
	return nil
}

// main writes the bot's main: Superman's with its own names.
func (n newCommand) main(d *draft) error {
	text, err := d.read("functions/superman/main.go")
	if err != nil {
		return err
	}
	d.files["functions/"+n.Name+"/main.go"] = n.rename(text)
	return nil
}

// resources writes the bot's role and alarms: Superman's with its own names.
func (n newCommand) resources(d *draft) error {
	text, err := d.read("resources/superman.yml")
	if err != nil {
		return err
	}
	d.files["resources/"+n.Name+".yml"] = n.rename(text)
	return nil
}

// rename turns what is written about Superman into the same about the bot.
func (n newCommand) rename(text string) string {
	return strings.NewReplacer(
		"about serverless, about Superman", "about "+n.Find+", about "+n.Replace,
		"Superman", title(n.Name), "superman", n.Name,
	).Replace(text)
}

// service adds the bot to serverless.yml: its query, its function and its file
// of resources. All other lines stay as they are.
func (n newCommand) service(d *draft) error {
	const name = "serverless.yml"
	text, err := d.read(name)
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(text, "\n")
	last := func(pattern string) int {
		re, at := regexp.MustCompile(pattern), -1
		for i, line := range lines {
			if re.MatchString(line) {
				at = i
			}
		}
		return at
	}
	begin := slices.Index(lines, "  superman:\n")
	query, file, resources := last(`^    \w+Query: `), last(`^  - \$\{file\(resources/`), slices.Index(lines, "resources:\n")
	if begin < 0 || query < 0 || file < 0 || resources < begin {
		return fmt.Errorf("%s is not laid out as new expects: queries under params, functions, and then resources", name)
	}
	if slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "  "+n.Name+":") }) {
		return fmt.Errorf("%s has a %s already", name, n.Name)
	}
	var function []string
	for i, line := range lines[begin:resources] {
		if line == "\n" || i > 0 && regexp.MustCompile(`^  \w`).MatchString(line) {
			break
		}
		if !strings.HasPrefix(strings.TrimSpace(line), "#") { // the reasons are given once
			function = append(function, n.rename(line))
		}
	}
	// From the end of the file, so that the places before stay what they are.
	lines = slices.Insert(lines, file+1, "  - ${file(resources/"+n.Name+".yml)}\n")
	lines = slices.Insert(lines, resources, append(function, "\n")...)
	lines = slices.Insert(lines, query+1, "    "+n.Name+"Query: ''\n")
	d.files[name] = strings.Join(lines, "")
	return nil
}

func (d *draft) read(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(d.root, name))
	return string(text), err
}

// write writes all files, each first beside its place.
func (d *draft) write() (err error) {
	const beside = ".new"
	var written []string
	defer func() {
		for _, path := range written {
			os.Remove(path + beside) // what was not renamed
		}
	}()
	for name, text := range d.files {
		path := filepath.Join(d.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		written = append(written, path)
		if err := os.WriteFile(path+beside, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, path := range written {
		if err := os.Rename(path+beside, path); err != nil {
			return err
		}
	}
	return nil
}
