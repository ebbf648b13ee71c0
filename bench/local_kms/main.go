// local-kms on a free port of the loopback address alone: its own command listens on every address.
// Prints its URL once it answers. Its database, which is its only state, lies in the folder given.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	kms "github.com/nsmithuk/local-kms/src"
	"github.com/nsmithuk/local-kms/src/config"
	"github.com/nsmithuk/local-kms/src/data"
)

func main() {
	config.AWSAccountId = "111122223333"
	config.AWSRegion = "us-east-1"
	config.DatabasePath = os.Args[1]
	database := data.NewDatabase(config.DatabasePath)
	defer database.Close()
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		kms.HandleRequest(writer, request, database)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready at http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
