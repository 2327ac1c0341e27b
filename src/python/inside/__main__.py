from capsule._inside import main

main()
