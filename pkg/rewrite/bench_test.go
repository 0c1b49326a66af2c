package rewrite_test

import (
	"testing"

	"example.com/superbots/pkg/rewrite"
)

var posts = []string{
	"Going serverless: what we learned in three years of AWS Lambda in production https://t.co/Qm3vXb9TzK",
	"Serverless doesn't mean there are no servers. It means they are somebody else's problem.",
	"RT @goserverless: Announcing the Serverless Framework 1.0! 🎉 serverless.com",
	"SERVERLESS SERVERLESS SERVERLESS",
	"Just published: &quot;Testing serverless apps without losing your mind&quot; &gt; https://t.co/1a2B3c4D5e #serverless #aws #testing",
	"@alexdebrie I think DynamoDB + Lambda is the best thing about serverless, @theburningmonk agrees",
	"サーバーレス(serverless)アーキテクチャの入門記事を書きました https://t.co/zYxWvUtSrQ",
	"Is it cold start season again? ❄️🥶 #Serverless",
	"npm i -g serverless@latest broke my build. Again. 😤",
	"The five stages of serverless:\n1. What?\n2. No.\n3. Hm.\n4. Yes!\n5. The bill.",
	"ServerlessConf tickets are out (https://t.co/aBcDeFgHiJ), see you in New York!",
	"$AMZN is up 3% today. Thanks, serverless?",
	"Why do people write server-less? It's serverless. Don't @ me.",
	"Our team is hiring serverless engineers! Remote, EU time zones. Mail jobs@serverless.example.com or DM.",
	"Unpopular opinion: most “serverless” databases are neither server-less nor, for that matter, databases — they are a billing model with an API in front, and once you see that you cannot unsee it; ask anyone who has had to explain a surprise invoice to finance on the last Friday of a quarter. Thread 👇",
	"serverless is just CGI bin with extra steps 🙃👨‍💻",
	"¿Qué es serverless? Te lo explico en un vídeo de 10 minutos: https://t.co/0123456789",
	"Node.js 20 on Lambda, finally. Update your serverless.yml!",
	"I deployed a serverless app to us-east-1 and all I got was this lousy 502 https://t.co/error0502x https://t.co/pic0502xyz",
	"Bref makes serverless PHP a joy. There, I said it. @matthieunapoli 🐘",
}

func BenchmarkRewrite(b *testing.B) {
	size := int64(0)
	for _, post := range posts {
		size += int64(len(post))
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, post := range posts {
			if _, skip := superman.Rewrite(post, rewrite.Drop); skip != "" {
				b.Fatalf("%q: %s", post, skip)
			}
		}
	}
}

func BenchmarkWeight(b *testing.B) {
	size := int64(0)
	for _, post := range posts {
		size += int64(len(post))
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, post := range posts {
			rewrite.Weight(post)
		}
	}
}
