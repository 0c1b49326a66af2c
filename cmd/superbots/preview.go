package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/rewrite"
)

type preview struct {
	Bot   botName       `arg:"" help:"${bots}."`
	File  string        `arg:"" optional:"" default:"-" help:"JSON lines with id, author and text; - is standard input."`
	Links rewrite.Links `default:"drop" help:"drop or keep links, as BOT_LINKS." placeholder:"drop|keep"`
	output
}

// Help follows the flags on -h.
func (preview) Help() string {
	return `Example:
  echo '{"id":"1","author":"ana","text":"I love serverless!"}' | superbots preview superman --output json

A line that is no post is reported with its number, and the others go on.`
}

// botName is a bot given by its name.
type botName struct{ bot.Bot }

// UnmarshalText finds the bot.
func (b *botName) UnmarshalText(text []byte) (err error) {
	b.Bot, err = find(string(text))
	return err
}

// A previewed post is one line of preview's JSON output.
type previewed struct {
	ID     string `json:"id"`
	Action string `json:"action"` // post or skip
	Reason string `json:"reason"` // of a skip
	Text   string `json:"text"`   // of a post
	Weight int    `json:"weighted_length"`
}

func (p preview) Run(c console) error {
	in := c.in
	if p.File != "-" {
		f, err := os.Open(p.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	out := json.NewEncoder(c.out)
	out.SetEscapeHTML(false)
	broken := 0
	err := eachLine(in, func(n int, line []byte) error {
		var post struct{ ID, Author, Text string }
		if err := unmarshalPost(line, &post); err != nil {
			broken++
			fmt.Fprintf(c.err, "line %d: %v\n", n, err)
			return nil
		}
		shown := previewed{ID: post.ID, Action: "skip"}
		text, reason := p.Bot.Rewrite(post.Text, p.Links)
		if shown.Reason = reason; reason == "" {
			shown.Action, shown.Text, shown.Weight = "post", text, rewrite.Weight(text)
		}
		if p.Output == "json" {
			return out.Encode(shown)
		}
		if reason != "" {
			_, err := fmt.Fprintf(c.out, "%s  skipped: %s\n", shown.ID, shown.Reason)
			return err
		}
		_, err := fmt.Fprintf(c.out, "%s  %3d  %s\n", shown.ID, shown.Weight, shown.Text)
		return err
	})
	if err == nil && broken > 0 {
		err = fmt.Errorf("%d lines are no posts", broken)
	}
	return err
}

// maxLine is well over the longest post that X takes, 25,000 characters, in JSON.
const maxLine = 1 << 20

// eachLine calls f with every line that is not empty, and its number from 1. A
// line over maxLine comes cut to that.
func eachLine(in io.Reader, f func(n int, line []byte) error) error {
	r := bufio.NewReaderSize(in, maxLine)
	for n := 1; ; n++ {
		line, isPrefix, err := r.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if len(line) > 0 {
			if err := f(n, line); err != nil {
				return err
			}
		}
		for isPrefix && err == nil {
			_, isPrefix, err = r.ReadLine()
		}
	}
}

// unmarshalPost reads one line as a post; post needs an id and a text.
func unmarshalPost(line []byte, post any) error {
	var fields struct{ ID, Text *string }
	if err := json.Unmarshal(line, &fields); err != nil {
		return fmt.Errorf("not a post in JSON: %w", err)
	}
	if fields.ID == nil || fields.Text == nil {
		return errors.New("a post needs an id and a text")
	}
	return json.Unmarshal(line, post)
}
